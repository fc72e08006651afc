import { DrError } from '@dr-syncer/api';
import type { KubeClient, KubeObject } from '@dr-syncer/kube';
import type { PrivateKey } from '@dr-syncer/ssh';

import {
  advanceClientKeys,
  type ClientKeys,
  clientKeyEntries,
  type KeySecret,
  readClientKeys,
  trustedBy,
} from './client-keys.js';
import type { MakesKeys } from './key-maker.js';
import type { Questions, RotationSubject } from './key-rotation.js';
import { changeEntries, findOrCreate, type SecretRef } from './key-secret.js';
import type { AgentReport, Transition } from './machine.js';
import type { Trigger } from './record.js';
import { PROBE_MS, type RotatedAgents, succeedsUnless, Survey } from './rotated-agents.js';

export interface ClientKeySubjectOptions {
  /** Of the cluster with the Secret. */
  readonly client: KubeClient;
  readonly at: SecretRef;
  /** Where the Secret is made here, it goes with this object. */
  readonly owner?: KubeObject;
  /** For the comment of keys that are made: which cluster they are for. */
  readonly whose: string;
  readonly maker: MakesKeys;
  readonly now?: () => Date;
}

/** What is in a Secret, with the Secret that it was read from. */
export interface LoadedKeys extends ClientKeys {
  readonly secret: KeySecret;
}

/** The controller's key towards the agents of one cluster. */
export class ClientKeySubject implements RotationSubject<LoadedKeys> {
  readonly #options: ClientKeySubjectOptions;
  readonly #survey = new Survey();
  #agents: RotatedAgents | undefined;
  /** Checking a key costs a signature, so an unchanged Secret is not read again. */
  #known: LoadedKeys | undefined;

  constructor(options: ClientKeySubjectOptions) {
    this.#options = options;
  }

  /** Whose agents they are; the key is needed to reach them at all, so it is there first. */
  for(agents: RotatedAgents): void {
    this.#agents = agents;
  }

  /** The keys, made when the Secret is missing. @throws DrError KeyInvalid; KubeError */
  async load(signal: AbortSignal): Promise<LoadedKeys> {
    const { client, at, owner } = this.#options;
    return this.#read(await findOrCreate(client, at, () => this.#first(signal), signal, owner));
  }

  async advance(
    keys: LoadedKeys,
    transition: Transition,
    trigger: Trigger,
    signal: AbortSignal,
  ): Promise<LoadedKeys> {
    // Nobody is to be cut off in the middle of a question when the line of the previous key goes.
    if (transition === 'retire') await this.#target().settled();
    const fresh = () => this.#make(signal);
    const advanced = await advanceClientKeys(keys, transition, { now: this.#now(), trigger, fresh });
    const entries = clientKeyEntries(advanced);
    const written = this.#read(await changeEntries(this.#options.client, keys.secret, entries, signal));
    this.#survey.forget();
    return written;
  }

  async publish(keys: LoadedKeys, signal: AbortSignal): Promise<void> {
    const agents = this.#target();
    agents.trust({ key: keys.current, ...trustedBy(keys) });
    await agents.publishKeys(signal);
  }

  nodes(signal: AbortSignal): Promise<readonly string[]> {
    return this.#target().nodes(signal);
  }

  ask(node: string, keys: LoadedKeys, questions: Questions, signal: AbortSignal): Promise<AgentReport> {
    const { current, next, previous, revoked } = keys;
    return this.#survey.report(node, async () => {
      const [knowsNext, provesCurrent, refusesPrevious, refusesRevoked] = await Promise.all([
        questions.knowsNext && this.#knows(node, [current, ...(next ? [next] : [])], signal),
        questions.provesCurrent && this.#letsIn(node, current, signal),
        questions.refusesPrevious && this.#refuses(node, previous ? [previous] : [], false, signal),
        questions.refusesRevoked && this.#refuses(node, revoked, true, signal),
      ]);
      return { knowsNext, provesCurrent, refusesPrevious, refusesRevoked };
    });
  }

  /** By its file, which outlives a restart. */
  async #knows(node: string, keys: readonly PrivateKey[], signal: AbortSignal): Promise<boolean> {
    const peer = await this.#target().peer(node, signal);
    const fingerprints = keys.map(({ fingerprint }) => fingerprint);
    const { accepted } = await peer.request('keys.check', { fingerprints }, { signal, timeoutMs: PROBE_MS });
    return accepted.length === fingerprints.length;
  }

  #letsIn(node: string, key: PrivateKey, signal: AbortSignal): Promise<boolean> {
    return this.#survey.once(`${node} lets in ${key.fingerprint}`, () =>
      succeedsUnless('AgentRefusedKey', async () => {
        // Connections are made anew with another key, so this one was made with it.
        const peer = await this.#target().peer(node, signal);
        await peer.request('keys.check', { fingerprints: [] }, { signal, timeoutMs: PROBE_MS });
      }),
    );
  }

  async #refuses(
    node: string,
    keys: readonly PrivateKey[],
    revoke: boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const refusals = await Promise.all(
      keys.map((key) =>
        this.#survey.once(
          `${node} refuses ${key.fingerprint}`,
          async () => !(await this.#tryKey(node, key, revoke, signal)),
        ),
      ),
    );
    return refusals.every(Boolean);
  }

  /** A real login. One that is let in with a revoked key uses it for the one thing that it is good for. */
  #tryKey(node: string, key: PrivateKey, revoke: boolean, signal: AbortSignal): Promise<boolean> {
    return succeedsUnless('AgentRefusedKey', async () => {
      const as = { privateKey: key, timeoutMs: PROBE_MS };
      const connection = await this.#target().login(node, as, signal);
      try {
        if (revoke) await connection.peer.request('keys.revoke', {}, { signal, timeoutMs: PROBE_MS });
      } finally {
        connection.close();
      }
    });
  }

  #target(): RotatedAgents {
    if (this.#agents === undefined) throw new DrError('Internal', 'no agents to rotate keys with');
    return this.#agents;
  }

  #read(secret: KeySecret): LoadedKeys {
    const { uid, resourceVersion } = secret.metadata;
    const known = this.#known?.secret.metadata;
    if (this.#known !== undefined && known?.uid === uid && known?.resourceVersion === resourceVersion) {
      return this.#known;
    }
    this.#known = { ...readClientKeys(secret, this.#options.whose), secret };
    return this.#known;
  }

  async #first(signal: AbortSignal): Promise<Record<string, string>> {
    const key = await this.#make(signal);
    const encode = (text: string) => Buffer.from(text).toString('base64');
    return { id_rsa: encode(key.exportText()), 'id_rsa.pub': encode(`${key.publicLine}\n`) };
  }

  #make(signal: AbortSignal): Promise<PrivateKey> {
    return this.#options.maker.clientKey(this.#options.whose, signal);
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }
}
