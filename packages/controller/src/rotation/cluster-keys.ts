import { type HostKeyStatus, type SshKeyStatus } from '@dr-syncer/api';
import { isConflict, type KubeClient, type KubeObject, kubeToDrError } from '@dr-syncer/kube';
import { fingerprintSha256 } from '@dr-syncer/ssh';

import { ClientKeySubject, type LoadedKeys } from './client-key-subject.js';
import { trustedBy } from './client-keys.js';
import type { HostKeySubject, LoadedHostKeys } from './host-key-subject.js';
import type { MakesKeys } from './key-maker.js';
import { KeyRotation, type RotatedKeys, type RotationOrder, type RotationProgress } from './key-rotation.js';
import type { SecretRef } from './key-secret.js';
import { RotationNews, type NewsItem } from './news.js';
import type { Credentials, RotatedAgents } from './rotated-agents.js';
import { hostKeyStatusOf, sshKeyStatusOf } from './status.js';

export interface ClusterKeysOptions {
  /** Of the source cluster, where the controller's key is. */
  readonly client: KubeClient;
  readonly at: SecretRef;
  /** The Secret goes with it, where it is made here. */
  readonly owner?: KubeObject;
  /** For the comments of keys: which cluster they are for. */
  readonly whose: string;
  readonly maker: MakesKeys;
  readonly tell: (item: NewsItem) => void;
}

export interface KeysAgents extends RotatedAgents {
  readonly hostKeySubject: HostKeySubject;
}

export interface KeyOrders {
  readonly client: RotationOrder;
  readonly host: RotationOrder;
}

export interface KeysReport {
  readonly sshKey: SshKeyStatus;
  readonly hostKeys: HostKeyStatus | undefined;
  /** What stops a rotation. */
  readonly problem: string | undefined;
  /** When to look again, ms. */
  readonly againInMs: number;
}

const CONFLICT_MS = 200;
const PROBLEM_MS = 5_000;

/** All keys between the controller and the agents of one cluster, and their rotations. */
export class ClusterKeys {
  readonly #subject: ClientKeySubject;
  readonly #clientNews: RotationNews<LoadedKeys>;
  readonly #hostNews: RotationNews<LoadedHostKeys>;
  readonly #client: KeyRotation<LoadedKeys>;
  /** Of the agents that it is for; they are others when their settings change. */
  #host: { readonly agents: KeysAgents; readonly rotation: KeyRotation<LoadedHostKeys> } | undefined;

  constructor(options: ClusterKeysOptions) {
    const { tell } = options;
    this.#subject = new ClientKeySubject(options);
    this.#clientNews = new RotationNews({ what: 'SSH key', names: clientNames, tell });
    this.#hostNews = new RotationNews({ what: 'host keys', names: hostNames, tell });
    this.#client = new KeyRotation({ subject: this.#subject, news: this.#clientNews });
  }

  /** The controller's keys, made when there are none. @throws DrError KeyInvalid; KubeError */
  async load(signal: AbortSignal): Promise<{ readonly keys: LoadedKeys; readonly credentials: Credentials }> {
    const keys = await this.#subject.load(signal);
    return { keys, credentials: { key: keys.current, ...trustedBy(keys) } };
  }

  /**
   * Takes the rotations as far as they go now. What stops them is told and in the report; the keys that are in use stay
   * good.
   */
  async rotate(
    agents: KeysAgents,
    loaded: LoadedKeys,
    orders: KeyOrders,
    signal: AbortSignal,
  ): Promise<KeysReport> {
    this.#subject.for(agents);
    const client = await attempt(this.#client, orders.client, loaded, this.#clientNews, signal);
    const host = await this.#rotateHostKeys(agents, orders.host, signal);
    return {
      sshKey: sshKeyStatusOf(client, orders.client),
      hostKeys: host && hostKeyStatusOf(host, orders.host),
      problem: client.problem ?? host?.problem,
      againInMs: Math.min(client.againInMs, host?.againInMs ?? PROBLEM_MS),
    };
  }

  async #rotateHostKeys(
    agents: KeysAgents,
    order: RotationOrder,
    signal: AbortSignal,
  ): Promise<Attempt<LoadedHostKeys> | undefined> {
    if (this.#host?.agents !== agents) {
      const rotation = new KeyRotation({ subject: agents.hostKeySubject, news: this.#hostNews });
      this.#host = { agents, rotation };
    }
    let keys: LoadedHostKeys;
    try {
      keys = await agents.hostKeySubject.load(signal);
    } catch (err) {
      signal.throwIfAborted();
      // Those that are pinned are good as long as nothing else is known.
      this.#hostNews.failed(kubeToDrError(err).message);
      return undefined;
    }
    return attempt(this.#host.rotation, order, keys, this.#hostNews, signal);
  }
}

/** Progress, or what stopped it. */
export interface Attempt<K> extends RotationProgress<K> {
  readonly problem?: string;
}

async function attempt<K extends RotatedKeys>(
  rotation: KeyRotation<K>,
  order: RotationOrder,
  keys: K,
  news: RotationNews<K>,
  signal: AbortSignal,
): Promise<Attempt<K>> {
  if (keys.interrupted !== undefined) news.interrupted(keys.interrupted);
  try {
    return await rotation.run(order, keys, signal);
  } catch (err) {
    signal.throwIfAborted();
    const waiting = { keys, waitingFor: [] };
    // Somebody else has taken a step at the same time.
    if (isConflict(err)) return { ...waiting, againInMs: CONFLICT_MS };
    const { code, message } = kubeToDrError(err);
    news.failed(message);
    return { ...waiting, againInMs: PROBLEM_MS, problem: `${code}: ${message}` };
  }
}

function clientNames({ current, next, previous, revoked }: LoadedKeys) {
  const [last] = revoked.slice(-1);
  return {
    current: current.fingerprint,
    next: next?.fingerprint,
    previous: previous?.fingerprint,
    revoked: last?.fingerprint,
  };
}

function hostNames({ current, next, previous }: LoadedHostKeys) {
  const names = (lines: readonly string[] | undefined) =>
    lines?.map((line) => fingerprintSha256(line)).join(' and ');
  return { current: names(current) ?? '', next: names(next), previous: names(previous) };
}
