import type { Engine, OpenEngine } from '@dr-syncer/controller';
import type { KubeObject, Resource } from '@dr-syncer/kube';

import { makeNamespace, openStandby, type StandbyOptions, type TwoApiServers } from './two-api-servers.js';

export interface NamespacePair {
  readonly from: string;
  readonly to: string;
}

/** An object with its type. */
export type Typed = readonly [Resource, KubeObject];

/** Namespaces with their standbys, a new pair for each test, and the engines between them. */
export class NamespacePairs {
  readonly #world: TwoApiServers;
  readonly #prefix: string;
  readonly #opened: OpenEngine[] = [];
  #count = 0;
  #pair: NamespacePair = { from: '', to: '' };

  constructor(world: TwoApiServers, prefix: string) {
    this.#world = world;
    this.#prefix = prefix;
  }

  /** A source namespace with these objects; `remoteToo`: its destination is there as well. */
  async make(
    objects: readonly Typed[],
    { remoteToo = false }: { readonly remoteToo?: boolean } = {},
  ): Promise<NamespacePair> {
    this.#count += 1;
    const from = `${this.#prefix}-${this.#count}`;
    this.#pair = { from, to: `${from}-dr` };
    await makeNamespace(this.#world.sourceUser, from);
    if (remoteToo) await makeNamespace(this.#world.remoteUser, this.#pair.to);
    for (const [resource, object] of objects) await this.put(resource, object);
    return this.#pair;
  }

  /** As a user does it, in the source namespace. */
  put(resource: Resource, object: KubeObject): Promise<KubeObject> {
    const metadata = { ...object.metadata, namespace: this.#pair.from };
    const options = { fieldManager: 'user', force: true };
    return this.#world.sourceUser.client.apply(resource, { ...object, metadata }, options);
  }

  async open(options: StandbyOptions = {}): Promise<Engine> {
    const one = await openStandby(this.#world, this.#pair.from, this.#pair.to, options);
    this.#opened.push(one);
    return one.engine;
  }

  /** Opened, and all of it brought there once. */
  async sync(options: StandbyOptions = {}): Promise<Engine> {
    const engine = await this.open(options);
    await engine.pass(new AbortController().signal);
    return engine;
  }

  /** Of the last test. */
  async closeEngines(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((one) => one.close()));
  }
}
