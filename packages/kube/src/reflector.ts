import { DrError } from '@dr-syncer/api';
import { backoffMs, jittered } from './backoff.js';
import type { KubeClient } from './client.js';
import { contained } from './contained.js';
import { isAborted, linkedController, sleep } from './deadline.js';
import { isExpired, KubeError, kubeToDrError } from './kube-error.js';
import { dropManagedFields, Mirror, type ReflectorHandler, type Transform } from './mirror.js';
import type { Indexers, ReadStore } from './store.js';
import { keyOf, type KubeObject, type Resource, resourceName } from './types.js';

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: KubeClient;
  readonly resource: Resource;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Default `dropManagedFields`. */
  readonly transform?: Transform<T>;
  readonly indexers?: Indexers<T>;
  /** A full list this often, ±20 %, in case the watch missed something. Default 30 min. */
  readonly relistMs?: number;
  /** Objects in one page of a list. Default 500. */
  readonly pageSize?: number;
  /** A watch without a byte for this long is given up. Default 150 s; bookmarks come about every minute. */
  readonly idleTimeoutMs?: number;
  /** Shortest and longest wait before trying again. Default 0.8 and 30 s. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  readonly onError?: (err: DrError) => void;
  /** After each list: objects that it showed as deleted though the watch had not; above 0 only after outages. */
  readonly onList?: (sample: { objects: number; missedDeletions: number; seconds: number }) => void;
}

/** A watch that lived for this long was a good one: the back-off starts anew and the next one begins at once. */
const HEALTHY_MS = 5000;
const WATCH_SECONDS = { min: 290, max: 600 } as const;
const DEFAULT_RELIST_MS = 30 * 60_000;
const DEFAULT_BACKOFF = { minMs: 800, maxMs: 30_000 } as const;

/**
 * Mirrors one resource type, or a selection of it, into memory: a paged list, then a watch from there, for ever.
 * Whatever goes wrong is tried again and the store keeps what it last knew; in particular a server that answers 404 or
 * nothing does not make objects look deleted.
 */
export class Reflector<T extends KubeObject = KubeObject> {
  /** Resolves after the first complete list; rejects with Cancelled when closed before. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #mirror: Mirror<T>;
  readonly #stop = new AbortController();
  #settle: { resolve: () => void; reject: (err: DrError) => void };
  #isSynced = false;
  #running: Promise<void> | undefined;
  /** From where the watch goes on; undefined: only a list helps. */
  #resourceVersion: string | undefined;
  #shown: string | undefined;
  #relistAt = 0;
  #lastSeen = performance.now();
  #lastError: DrError | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#mirror = new Mirror<T>({
      transform: options.transform ?? (dropManagedFields as Transform<T>),
      indexers: options.indexers,
      onError: (err) => this.#report(err),
    });
    const { promise, ...settle } = deferred();
    this.synced = promise;
    this.#settle = settle;
  }

  get store(): ReadStore<T> {
    return this.#mirror.store;
  }

  get resource(): Resource {
    return this.#options.resource;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** The state of the collection at the server that the store shows; `undefined` before the first list. */
  get resourceVersion(): string | undefined {
    return this.#shown;
  }

  /** Why the mirror is not up to date at the moment; `undefined` when it is, as far as anyone can know. */
  get lastError(): DrError | undefined {
    return this.#lastError;
  }

  /** Seconds since the server was last heard: an event, a bookmark or a list. */
  lagSeconds(): number {
    return (performance.now() - this.#lastSeen) / 1000;
  }

  /** Objects that are there already are reported as added, before this returns. Returns the way to unsubscribe. */
  subscribe(handler: ReflectorHandler<T>): () => void {
    return this.#mirror.subscribe(handler);
  }

  /** Begins in the background; ends with `signal` or `close`. @throws Error when started twice */
  start(signal: AbortSignal): void {
    if (this.#running !== undefined) throw new Error('the reflector has been started already');
    const linked = linkedController(signal);
    const stop = (): void => linked.controller.abort(this.#stop.signal.reason);
    if (this.#stop.signal.aborted) stop();
    this.#stop.signal.addEventListener('abort', stop, { once: true });
    this.#running = this.#run(linked.controller.signal).finally(() => {
      linked.unlink();
      this.#settle.reject(
        new DrError('Cancelled', `the mirror of ${resourceName(this.resource)} was closed`),
      );
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#settle.reject(new DrError('Cancelled', `the mirror of ${resourceName(this.resource)} was closed`));
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = this.#options.backoff ?? DEFAULT_BACKOFF;
    let failures = 0;
    while (!isAborted(signal)) {
      const begun = performance.now();
      try {
        if (this.#resourceVersion === undefined || begun >= this.#relistAt) await this.#list(signal);
        await this.#watch(signal);
      } catch (err) {
        if (isAborted(signal)) return;
        this.#failed(err);
      }
      failures = performance.now() - begun >= HEALTHY_MS ? 0 : failures + 1;
      if (failures > 0) await sleep(backoffMs(failures - 1, backoff), signal).catch(() => undefined);
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, pageSize, relistMs = DEFAULT_RELIST_MS, onList } = this.#options;
    const begun = performance.now();
    const seen = new Set<string>();
    let resourceVersion = '';
    for await (const page of client.pages(resource, { ...this.#selection(), limit: pageSize, signal })) {
      if (page.restarted) seen.clear();
      for (const object of page.items) {
        seen.add(keyOf(object));
        this.#mirror.upsert(object);
      }
      ({ resourceVersion } = page);
      this.#heard();
    }
    const missedDeletions = this.#mirror.retain(seen);
    this.#shown = this.#resourceVersion = resourceVersion;
    this.#relistAt = performance.now() + jittered(relistMs, 0.2);
    this.#isSynced = true;
    this.#settle.resolve();
    this.#mirror.listed();
    contained(() =>
      onList?.({ objects: seen.size, missedDeletions, seconds: (performance.now() - begun) / 1000 }),
    );
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, resource, idleTimeoutMs } = this.#options;
    const untilRelist = Math.max(1, (this.#relistAt - performance.now()) / 1000);
    const lifetime = WATCH_SECONDS.min + Math.random() * (WATCH_SECONDS.max - WATCH_SECONDS.min);
    const timeoutSeconds = Math.ceil(Math.min(lifetime, untilRelist));
    const options = {
      ...this.#selection(),
      resourceVersion: this.#resourceVersion,
      timeoutSeconds,
      idleTimeoutMs,
      signal,
    };
    for await (const event of client.watch(resource, options)) {
      const { resourceVersion } = event.object.metadata;
      this.#mirror.apply(event);
      this.#shown = this.#resourceVersion = resourceVersion ?? this.#resourceVersion;
      this.#heard();
    }
  }

  #selection(): Pick<ReflectorOptions<T>, 'namespace' | 'labelSelector' | 'fieldSelector'> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return { namespace, labelSelector, fieldSelector };
  }

  #heard(): void {
    this.#lastSeen = performance.now();
    this.#lastError = undefined;
  }

  #failed(err: unknown): void {
    const reason = err instanceof KubeError ? err.reason : '';
    // The server no longer has what came after our version, or what it said was lost to us: only a list helps.
    if (isExpired(err) || reason === 'BadResponse') this.#resourceVersion = undefined;
    // Both are ordinary in the life of a watch; if the next step does not heal them, it says so itself.
    if (isExpired(err) || reason === 'Silent') return;
    this.#lastError = kubeToDrError(err);
    this.#report(this.#lastError);
  }

  #report(err: DrError): void {
    contained(() => this.#options.onError?.(err));
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (err: DrError) => void } {
  let resolve!: () => void;
  let reject!: (err: DrError) => void;
  const promise = new Promise<void>((accept, refuse) => {
    resolve = accept;
    reject = refuse;
  });
  // Not everyone waits for it; those who do still see the rejection.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
