import { randomBytes } from 'node:crypto';
import type { DrError } from '@dr-syncer/api';
import type { KubeClient } from './client.js';
import { contained } from './contained.js';
import { sleep } from './deadline.js';
import {
  type EventInput,
  eventNamespace,
  eventObject,
  regardingOf,
  type Reporter,
  seriesKey,
  seriesPatch,
} from './event-record.js';
import { isNotFound, kubeToDrError } from './kube-error.js';
import { TokenBucket } from './token-bucket.js';
import type { ObjectRef } from './types.js';
import { wellKnown } from './well-known.js';
import { WorkQueue } from './work-queue.js';

export interface EventRecorderOptions extends Reporter {
  readonly client: KubeClient;
  /** Events that were not written: too many at once, or refused by the server. */
  readonly onDropped?: (count: number) => void;
  readonly onError?: (err: DrError) => void;
}

/** Series that are remembered, and so the most that can wait to be written. */
const MAX_SERIES = 1024;
/** client-go's series end after the same time without a repetition. */
const SERIES_MS = 6 * 60_000;
/** Repetitions are written at most this often. */
const REPEAT_WRITE_MS = 10_000;
const MAX_FAILURES = 4;
/** Writes of the whole recorder, and new series for one object. */
const writes = { burst: 25, perSecond: 5 } as const;
const perObject = { burst: 25, perSecond: 1 / 30 } as const;
const CLOSE_MS = 5000;

interface Series {
  readonly input: EventInput;
  readonly firstSeen: Date;
  lastSeen: Date;
  count: number;
  /** The count that the server has. */
  written: number;
  ref: ObjectRef | undefined;
}

/**
 * Writes events.k8s.io/v1 Events. Recording costs a map entry, never waits and never throws: what can't be written is
 * counted and dropped. The same event again becomes a series on the first one.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #objects = new Map<string, TokenBucket>();
  readonly #queue = new WorkQueue({ baseDelayMs: 1000, maxDelayMs: 30_000 });
  readonly #bucket = new TokenBucket(writes.burst, writes.perSecond, performance.now());
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  record(input: EventInput): void {
    contained(() => {
      this.#record(input);
    });
  }

  /** Begins to write, in the background; what was recorded before is kept. Ends with `signal` or `close`. */
  start(signal: AbortSignal): void {
    this.#running ??= this.#run(AbortSignal.any([signal, this.#stop.signal]));
  }

  /** Writes what waits, for 5 s at most. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#queue.shutdown();
    const deadline = AbortSignal.timeout(CLOSE_MS);
    for (const [key, series] of this.#series) {
      if (deadline.aborted) break;
      if (series.written < series.count) await this.#write(key, series, deadline);
    }
    this.#series.clear();
  }

  #record(input: EventInput): void {
    const now = new Date();
    const key = seriesKey(input);
    const known = this.#series.get(key);
    if (known !== undefined && now.getTime() - known.lastSeen.getTime() < SERIES_MS) {
      known.count += 1;
      known.lastSeen = now;
      this.#queue.addAfter(key, REPEAT_WRITE_MS);
      return;
    }
    if (!this.#mayBegin(input)) {
      this.#dropped(1);
      return;
    }
    // Copied, since the caller's object may be large and may live on.
    const copy = { ...input, regarding: regardingOf(input.regarding) };
    this.#series.set(key, {
      input: copy,
      firstSeen: now,
      lastSeen: now,
      count: 1,
      written: 0,
      ref: undefined,
    });
    this.#queue.add(key);
  }

  #mayBegin(input: EventInput): boolean {
    if (this.#series.size >= MAX_SERIES) this.#forgetWritten();
    if (this.#series.size >= MAX_SERIES) return false;
    const { kind, namespace = '', name, uid = '' } = regardingOf(input.regarding);
    const object = `${kind}/${namespace}/${name}/${uid}`;
    const now = performance.now();
    const bucket = this.#objects.get(object) ?? new TokenBucket(perObject.burst, perObject.perSecond, now);
    // The most recently used ones stay.
    this.#objects.delete(object);
    this.#objects.set(object, bucket);
    const oldest = this.#objects.keys().next();
    if (this.#objects.size > MAX_SERIES && oldest.done !== true) this.#objects.delete(oldest.value);
    return bucket.take(now);
  }

  /** Drops the older half of the series that need no write; the next repetition begins a new one. */
  #forgetWritten(): void {
    const written = [...this.#series].filter(([, series]) => series.written === series.count);
    for (const [key] of written.slice(0, Math.ceil(written.length / 2))) this.#series.delete(key);
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.get(signal);
      if (key === undefined) return;
      try {
        while (!this.#bucket.take(performance.now())) await sleep(this.#bucket.waitMs, signal);
        const series = this.#series.get(key);
        if (series !== undefined && series.written < series.count) await this.#write(key, series, signal);
      } catch {
        // The signal, while waiting for a token; `close` writes the rest.
      } finally {
        this.#queue.done(key);
      }
    }
  }

  async #write(key: string, series: Series, signal: AbortSignal): Promise<void> {
    const { count } = series;
    try {
      series.ref =
        series.ref === undefined
          ? await this.#create(series, signal)
          : await this.#repeat(series, series.ref, signal);
      series.written = count;
      this.#queue.forget(key);
      if (series.written < series.count) this.#queue.addAfter(key, REPEAT_WRITE_MS);
    } catch (err) {
      if (!signal.aborted) this.#failed(key, series, kubeToDrError(err));
    }
  }

  async #create(series: Series, signal: AbortSignal): Promise<ObjectRef> {
    const { client } = this.#options;
    const event = eventObject(series.input, this.#options, randomBytes(8).toString('hex'), series.firstSeen);
    const body = series.count === 1 ? event : { ...event, ...seriesPatch(series.count, series.lastSeen) };
    await client.create(wellKnown.events, body, { signal });
    return {
      resource: wellKnown.events,
      namespace: eventNamespace(regardingOf(series.input.regarding)),
      name: event.metadata.name,
    };
  }

  /** Events live for an hour by default; one that has gone is made anew. */
  async #repeat(series: Series, ref: ObjectRef, signal: AbortSignal): Promise<ObjectRef> {
    try {
      await this.#options.client.patch(ref, seriesPatch(series.count, series.lastSeen), 'merge', { signal });
      return ref;
    } catch (err) {
      if (!isNotFound(err)) throw err;
      return this.#create(series, signal);
    }
  }

  #failed(key: string, series: Series, err: DrError): void {
    contained(() => this.#options.onError?.(err));
    if (err.kind === 'retry' && this.#queue.failures(key) < MAX_FAILURES) {
      this.#queue.addRateLimited(key);
      return;
    }
    this.#queue.forget(key);
    this.#series.delete(key);
    this.#dropped(series.count - series.written);
  }

  #dropped(count: number): void {
    contained(() => this.#options.onDropped?.(count));
  }
}
