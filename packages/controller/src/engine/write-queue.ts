import { type DrError, toDrError } from '@dr-syncer/api';
import { backoffMs, KubeError, kubeToDrError, sleep } from '@dr-syncer/kube';
import PQueue from 'p-queue';

export interface WriteQueueOptions {
  /** Writes at the same time at most. Default 32. */
  readonly concurrency?: number;
  readonly random?: () => number;
}

const DEFAULT_CONCURRENCY = 32;
/** After this many good writes in a row one more is let run at the same time. */
const RAISE_AFTER = 50;
const MAX_ATTEMPTS = 10;
const MAX_PAUSE_MS = 60_000;
/** As many writes that no server answered mean that it can't be reached, and not that one connection broke. */
const DOWN_AFTER = 4;
const DOWN = { minMs: 1_000, maxMs: 30_000 } as const;

/**
 * The way of all writes to one API server: a bounded number at a time, and fewer when it says that it has too much to
 * do (429 of API Priority and Fairness, with Retry-After): then nobody writes until the time it asked for is over, and
 * half as many at a time after that, one more after each fifty that went well.
 *
 * A server that can't be reached is not asked by everyone who waits: after a few failures in a row, the writes that
 * wait fail at once, until a moment has passed.
 */
export class WriteQueue {
  readonly #queue: PQueue;
  readonly #max: number;
  readonly #random: () => number;
  #good = 0;
  #unreachable = 0;
  #down: { until: number; err: DrError } | undefined;
  #resume: NodeJS.Timeout | undefined;
  #resumeAt = 0;

  constructor({ concurrency = DEFAULT_CONCURRENCY, random = Math.random }: WriteQueueOptions = {}) {
    this.#max = concurrency;
    this.#random = random;
    this.#queue = new PQueue({ concurrency });
  }

  /**
   * Runs the write when it is its turn, again when the server has too much to do.
   *
   * @param write must make one attempt only (`retry: false`)
   * @throws what `write` throws; DrError RemoteUnreachable without an attempt while the server is known to be away
   */
  async run<T>(write: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#queue.add(() => this.#once(write, signal));
      } catch (err) {
        signal.throwIfAborted();
        const wait = this.#afterFailure(err, attempt);
        if (wait === undefined) throw err;
        await sleep(wait, signal);
      }
    }
  }

  get concurrency(): number {
    return this.#queue.concurrency;
  }

  close(): void {
    clearTimeout(this.#resume);
    this.#queue.start();
  }

  async #once<T>(write: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#down !== undefined && performance.now() < this.#down.until) throw this.#down.err;
    const result = await write();
    this.#unreachable = 0;
    this.#down = undefined;
    this.#good += 1;
    if (this.#good >= RAISE_AFTER && this.#queue.concurrency < this.#max) {
      this.#good = 0;
      this.#queue.concurrency += 1;
    }
    return result;
  }

  /** How long this write waits before it is tried again, in ms; undefined: it is not. */
  #afterFailure(err: unknown, attempt: number): number | undefined {
    if (!(err instanceof KubeError)) return undefined;
    this.#noteReachable(err);
    if (attempt >= MAX_ATTEMPTS) return undefined;
    if (err.status === 429) {
      this.#slowDown(err.retryAfterSeconds);
      return backoffMs(0, { minMs: 10, maxMs: 250, random: this.#random });
    }
    const passing = err.status === 503 || err.status === 504 || err.reason === 'ConnectionReset';
    if (!passing || attempt > 3) return undefined;
    return backoffMs(attempt - 1, { minMs: 100, maxMs: 2_000, random: this.#random });
  }

  #noteReachable(err: KubeError): void {
    const { code } = kubeToDrError(err);
    if (code !== 'RemoteUnreachable' && code !== 'RemoteUnauthorized' && code !== 'Timeout') {
      if (err.status !== 0) this.#unreachable = 0;
      return;
    }
    this.#unreachable += 1;
    if (this.#unreachable < DOWN_AFTER) return;
    const wait = backoffMs(this.#unreachable - DOWN_AFTER, { ...DOWN, random: this.#random });
    this.#down = { until: performance.now() + wait, err: toDrError(kubeToDrError(err)) };
  }

  #slowDown(retryAfterSeconds = 1): void {
    const until = performance.now() + Math.min(MAX_PAUSE_MS, retryAfterSeconds * 1000);
    this.#good = 0;
    if (until <= this.#resumeAt) return;
    // Those that were under way together and were all refused count once.
    if (!this.#queue.isPaused) {
      this.#queue.concurrency = Math.max(1, Math.floor(this.#queue.concurrency / 2));
    }
    this.#resumeAt = until;
    this.#queue.pause();
    clearTimeout(this.#resume);
    this.#resume = setTimeout(() => this.#queue.start(), until - performance.now());
  }
}
