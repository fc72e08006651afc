import { DrError } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import { storageClassesOf } from './mapping/storage.js';

const KEEP_MS = 30_000;

/** The storage classes of the remote, read at most every half minute, when a claim asks. */
export class StorageClasses {
  readonly #client: KubeClient;
  #names: Promise<ReadonlySet<string>> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Without this the claim would be there and wait for ever. @throws DrError StorageClassNotFound; KubeError */
  async check(object: KubeObject): Promise<void> {
    const names = storageClassesOf(object);
    if (names.length === 0) return;
    const served = await this.#current();
    const missing = names.find((name) => !served.has(name));
    if (missing === undefined) return;
    throw new DrError('StorageClassNotFound', `the remote cluster has no storage class ${missing}`);
  }

  #current(): Promise<ReadonlySet<string>> {
    if (this.#names !== undefined && performance.now() - this.#readAt < KEEP_MS) return this.#names;
    this.#readAt = performance.now();
    const names = this.#read();
    this.#names = names;
    names.catch(() => (this.#names = undefined));
    return names;
  }

  async #read(): Promise<ReadonlySet<string>> {
    const { items } = await this.#client.list(wellKnown.storageClasses);
    return new Set(items.map(({ metadata }) => metadata.name));
  }
}
