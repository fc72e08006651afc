import PQueue from 'p-queue';

import { FairQueue, tenantKey } from './fair-queue.js';
import { Limits } from './limits.js';

export interface StageOptions {
  /** Limit of each key, see `Limits`. */
  readonly limitOf: (key: string) => number;
  readonly concurrency: number;
  /** How long something has waited until it began (s). */
  readonly onBegin: (waitedSeconds: number) => void;
}

export interface StageTask {
  readonly tenant: string;
  readonly keys: readonly string[];
  readonly priority: number;
}

/** Work of one kind: so much of it at a time, and in fair order. */
export class Stage {
  readonly #limits: Limits;
  readonly #fair: FairQueue;
  readonly #queue: PQueue<FairQueue, NonNullable<Parameters<FairQueue['enqueue']>[1]>>;
  readonly #onBegin: StageOptions['onBegin'];

  constructor({ limitOf, concurrency, onBegin }: StageOptions) {
    const limits = new Limits((key) => (key.startsWith(tenantKey('')) ? Infinity : limitOf(key)));
    const fair = new FairQueue(limits);
    this.#limits = limits;
    this.#fair = fair;
    this.#onBegin = onBegin;
    // p-queue makes the queue itself and gives it nothing.
    const queueClass = function () {
      return fair;
    } as unknown as new () => FairQueue;
    this.#queue = new PQueue({ concurrency, queueClass });
  }

  get waiting(): number {
    return this.#fair.backlog;
  }

  get running(): number {
    return this.#queue.pending;
  }

  /**
   * Runs `work` when its turn has come.
   *
   * @param signal takes it out of the queue; once it has begun, ending is its own matter
   * @throws what `work` throws; the signal's reason
   */
  async run<T>(task: StageTask, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const keys = [...task.keys, tenantKey(task.tenant)];
    const waiting = new AbortController();
    const leave = () => waiting.abort(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    const since = performance.now();
    try {
      return await this.#queue.add(
        async () => {
          signal.removeEventListener('abort', leave);
          this.#limits.take(keys);
          this.#onBegin((performance.now() - since) / 1000);
          try {
            return await work();
          } finally {
            this.#limits.release(keys);
          }
        },
        { tenant: task.tenant, keys: task.keys, priority: task.priority, signal: waiting.signal },
      );
    } finally {
      signal.removeEventListener('abort', leave);
      this.recheck();
    }
  }

  /** What has been passed over may begin now: a limit has room again, or has been raised. */
  recheck(): void {
    const { concurrency } = this.#queue;
    // p-queue starts one for each that ends; a limit that got room may let several begin. Setting it starts all it can.
    this.#queue.concurrency = concurrency;
  }
}
