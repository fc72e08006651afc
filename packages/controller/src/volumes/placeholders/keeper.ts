import { label } from '@dr-syncer/api';
import {
  isConflict,
  isForbidden,
  isNotFound,
  jittered,
  type KubeClient,
  type ListOptions,
  sleep,
  wellKnown,
} from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import { type Claim, claimsOf, isPlaceholder, isShared, type Pod } from '../pods.js';
import { ownerLabelValue } from '../placeholder.js';
import { removable } from './removable.js';

/** A cluster that placeholders are made in. */
export interface PlaceholderPlace {
  readonly client: KubeClient;
  /** Where they can be, for an account that may not list the pods of the whole cluster. */
  readonly namespaces: () => readonly string[];
}

export interface PlaceholderKeeperOptions {
  /** All of them, now. */
  readonly places: () => readonly PlaceholderPlace[];
  /** UID of the source cluster: only placeholders made for it are looked at. */
  readonly owner: string;
  /** How long one is kept warm for the next sync. */
  readonly ttlMs: number;
  readonly logger: Logger;
  readonly intervalMs?: number;
}

const INTERVAL_MS = 10_000;
/**
 * How long a cluster in which there are none is left alone: most have none most of the time, nobody else makes ours, and each
 * look takes a connection.
 */
const NONE_MS = 3_600_000;

/**
 * Removes placeholder pods: those that nobody has used for a while, and those that keep a pod of the workload from
 * getting its volume. They are found by their labels, so what an earlier controller has made is kept or removed as well.
 */
export class PlaceholderKeeper {
  readonly #options: PlaceholderKeeperOptions;
  /** By UID of the pod: how many use it, and when it was seen or used last (ms). */
  readonly #seen = new Map<string, { users: number; at: number }>();
  /** Whose accounts may list pods in some namespaces alone. */
  readonly #limited = new WeakSet<KubeClient>();
  /** Those in which there were none, and until when that is believed (ms). */
  readonly #none = new WeakMap<KubeClient, number>();

  constructor(options: PlaceholderKeeperOptions) {
    this.#options = options;
  }

  /** Keeps the pod until the returned function is called. */
  use(podUid: string): () => void {
    const entry = this.#entry(podUid);
    entry.users += 1;
    let used = true;
    return () => {
      if (!used) return;
      used = false;
      entry.users -= 1;
      entry.at = Date.now();
    };
  }

  /** There may be one in this cluster now. To be called after it was made: a look in between would have found none. */
  made(client: KubeClient): void {
    this.#none.delete(client);
  }

  /** Until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const slept = () =>
      sleep(this.#options.intervalMs ?? INTERVAL_MS, signal).then(
        () => true,
        () => false,
      );
    while (await slept()) await this.sweep(signal);
  }

  /** Looks once at all clusters that may have some. What fails is logged, and tried again the next time. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { places, logger } = this.#options;
    const alive = new Set<string>();
    const results = await Promise.allSettled(places().map((place) => this.#sweepOne(place, signal)));
    for (const result of results) {
      if (result.status === 'fulfilled') for (const uid of result.value) alive.add(uid);
      else logger.warn('placeholder pods could not be looked at', { err: result.reason });
    }
    // One of a cluster that did not answer may still be there.
    if (results.some(({ status }) => status === 'rejected')) return;
    for (const [uid, { users }] of this.#seen) if (users === 0 && !alive.has(uid)) this.#seen.delete(uid);
  }

  /** @returns UIDs of those that are there */
  async #sweepOne(place: PlaceholderPlace, signal: AbortSignal): Promise<string[]> {
    const { client } = place;
    if ((this.#none.get(client) ?? 0) > Date.now()) return [];
    const labelSelector = `${label.placeholder},${label.controller}=${ownerLabelValue(this.#options.owner)}`;
    const pods = await this.#list(place, { labelSelector, signal });
    const ours = pods.filter((pod) => isPlaceholder(pod) && pod.metadata.deletionTimestamp === undefined);
    if (ours.length === 0) {
      this.#none.set(client, Date.now() + jittered(NONE_MS, 0.2));
      return [];
    }
    const pending = await this.#list(place, { fieldSelector: 'status.phase=Pending', signal });
    for (const pod of ours) {
      const entry = this.#entry(pod.metadata.uid ?? '');
      const reason = await removable({
        ...{ pod, pending, users: entry.users, ttlMs: this.#options.ttlMs },
        idleMs: Date.now() - entry.at,
        shared: () => ofSharedClaim(client, pod, signal),
      });
      if (reason !== undefined) await this.#remove(client, pod, reason, signal);
    }
    return ours.map((pod) => pod.metadata.uid ?? '');
  }

  async #list({ client, namespaces }: PlaceholderPlace, options: ListOptions): Promise<Pod[]> {
    if (!this.#limited.has(client)) {
      try {
        return (await client.list<Pod>(wellKnown.pods, options)).items;
      } catch (err) {
        if (!isForbidden(err)) throw err;
        this.#limited.add(client);
      }
    }
    const pods: Pod[] = [];
    for (const namespace of namespaces()) {
      pods.push(...(await client.list<Pod>(wellKnown.pods, { ...options, namespace })).items);
    }
    return pods;
  }

  async #remove(client: KubeClient, pod: Pod, reason: string, signal: AbortSignal): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    this.#options.logger.info('placeholder pod removed', { namespace, pod: name, reason });
    try {
      await client.delete({ resource: wellKnown.pods, namespace, name }, { preconditions: { uid }, signal });
    } catch (err) {
      if (!isNotFound(err) && !isConflict(err)) throw err;
    }
  }

  #entry(uid: string): { users: number; at: number } {
    const entry = this.#seen.get(uid) ?? { users: 0, at: Date.now() };
    this.#seen.set(uid, entry);
    return entry;
  }
}

async function ofSharedClaim(client: KubeClient, pod: Pod, signal: AbortSignal): Promise<boolean> {
  const [name = ''] = claimsOf(pod);
  const { namespace = '' } = pod.metadata;
  const ref = { resource: wellKnown.persistentVolumeClaims, namespace, name };
  const claim = await client.find<Claim>(ref, { signal });
  return claim !== undefined && isShared(claim);
}
