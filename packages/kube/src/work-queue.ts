import { backoffMs } from './backoff.js';
import { PriorityFifo } from './priority-fifo.js';

export interface WorkQueueOptions {
  /** First and longest wait of `addRateLimited`. Default 0.5 s and 5 min. */
  readonly baseDelayMs?: number;
  readonly maxDelayMs?: number;
  readonly random?: () => number;
}

/** Longest delay that a Node.js timer takes; with more it fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface Delayed {
  readonly at: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * A queue of keys for level-triggered work, as client-go's. A key is in it at most once, however often it was added;
 * it is never handed out twice at a time; and one that is added while it is worked on comes again afterwards, since
 * the work may have read the world before the change. So memory is bounded by the number of different keys.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** To be worked on, with the priority asked for. Those in `#processing` wait here for `done`. */
  readonly #dirty = new Map<string, number>();
  readonly #processing = new Set<string>();
  readonly #ready = new PriorityFifo();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  readonly #waiters: ((key: string | undefined) => void)[] = [];
  readonly #idle: (() => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions = {}) {
    this.#options = options;
  }

  /** Higher priorities are handed out first; adding again can raise a key's priority, never lower it. */
  add(key: string, priority = 0): void {
    if (this.#closed) return;
    const asked = this.#dirty.get(key);
    if (asked !== undefined && asked >= priority) return;
    this.#dirty.set(key, priority);
    if (this.#processing.has(key)) return;
    if (asked !== undefined) this.#ready.remove(key, asked);
    this.#ready.push(key, priority);
    this.#dispatch();
  }

  /** Adds the key in `ms`, or at the earlier moment that was asked for before. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (!(ms > 0)) {
      this.add(key);
      return;
    }
    const at = performance.now() + ms;
    const pending = this.#delayed.get(key);
    if (pending !== undefined && pending.at <= at) return;
    clearTimeout(pending?.timer);
    this.#arm(key, at);
  }

  /** Adds the key after the back-off of its failures so far, counts one more, and returns the wait in ms. */
  addRateLimited(key: string): number {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    const { baseDelayMs: minMs = 500, maxDelayMs: maxMs = 5 * 60_000, random = Math.random } = this.#options;
    const delay = backoffMs(failures, { minMs, maxMs, random });
    this.addAfter(key, delay);
    return delay;
  }

  /** The key did well, or will not be tried again: its failures no longer count. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key; each one must be given back with `done`. `undefined` after `shutdown` or when the signal aborts. */
  async get(signal?: AbortSignal): Promise<string | undefined> {
    if (this.#closed || signal?.aborted === true) return undefined;
    const key = this.#take();
    if (key !== undefined) return key;
    return new Promise((resolve) => {
      const abort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        resolve(undefined);
      };
      const waiter = (found: string | undefined): void => {
        signal?.removeEventListener('abort', abort);
        resolve(found);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** @throws Error for a key that was not handed out */
  done(key: string): void {
    if (!this.#processing.delete(key)) throw new Error('the key was not being worked on');
    const priority = this.#dirty.get(key);
    if (priority !== undefined && !this.#closed) {
      this.#ready.push(key, priority);
      this.#dispatch();
    }
    if (this.#processing.size === 0) this.#resolveIdle();
  }

  /** Keys that wait for a worker. */
  get length(): number {
    return this.#dirty.size;
  }

  get processing(): number {
    return this.#processing.size;
  }

  /** Keys that wait for a moment. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /** No more keys are handed out; what waits is dropped. */
  shutdown(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
    this.#dirty.clear();
    this.#ready.clear();
    for (const waiter of this.#waiters.splice(0)) waiter(undefined);
  }

  /** Resolves when nothing is worked on any more; after `shutdown` that is the end. */
  async drain(): Promise<void> {
    if (this.#processing.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #arm(key: string, at: number): void {
    const wait = Math.min(MAX_TIMER_MS, Math.max(0, at - performance.now()));
    const timer = setTimeout(() => {
      if (at - performance.now() > 1) {
        this.#arm(key, at);
        return;
      }
      this.#delayed.delete(key);
      this.add(key);
    }, wait);
    this.#delayed.set(key, { at, timer });
  }

  #take(): string | undefined {
    const entry = this.#ready.shift();
    if (entry === undefined) return undefined;
    this.#dirty.delete(entry.key);
    this.#processing.add(entry.key);
    return entry.key;
  }

  #dispatch(): void {
    while (this.#waiters.length > 0) {
      const key = this.#take();
      if (key === undefined) return;
      this.#waiters.shift()?.(key);
    }
  }

  #resolveIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
