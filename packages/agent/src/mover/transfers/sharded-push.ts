import { setTimeout as sleep } from 'node:timers/promises';

import { DrError } from '@dr-syncer/api';

import type { Shard, ShardLists } from '../surveys/splitter.js';
import { costOf, type Planned, type StreamId } from './job-progress.js';
import type { RsyncOutput } from './progress.js';
import { type PushDeps, type PushEnd, pushInScope, pushShard, type PushSpec } from './push.js';
import type { StreamMemory } from './stream-memory.js';
import { type PaceTimes, StreamPace } from './stream-pace.js';

/** What is told of the streams while they are at work. */
export interface StreamEvents {
  readonly plan: (shards: readonly Planned[]) => void;
  readonly ended: (shard: number) => void;
  /** So many are at work at the same time. */
  readonly streams: (count: number) => void;
  readonly output: (stream: StreamId, output: RsyncOutput) => void;
}

export interface ShardedPushDeps {
  readonly push: PushDeps;
  /** Parts what is to be sent into so many shards. */
  readonly split: (count: number, changedOnly: boolean, signal: AbortSignal) => Promise<ShardLists>;
  readonly memory: StreamMemory;
  readonly times: PaceTimes;
}

export interface ShardedPushSpec extends Omit<PushSpec, 'onOutput'> {
  /** At most. */
  readonly streams: number;
  readonly events: StreamEvents;
}

/** More shards than streams: those that are done first have something to go on with. */
const SHARDS_A_STREAM = 2;
const MAX_SHARDS = 32;
const TICK_MS = 250;

interface Work {
  readonly index: number;
  readonly shard: Shard;
  readonly done: Promise<void>;
  /** In bytes; undefined: it has not moved anything yet. */
  cost: number | undefined;
}

type Lists = ShardLists & { readonly pending: Set<number> };

/**
 * A push by several rsyncs side by side, for as long as that is faster, and one that goes over all afterwards as ever:
 * it alone decides what the copy is like and what the end is. So a stream that could not copy something is no failure by
 * itself. One that broke off for a cause that may pass is one, since the next attempt then goes on with streams.
 */
export class ShardedPush {
  readonly #deps: ShardedPushDeps;
  readonly #spec: ShardedPushSpec;
  /** undefined: not split yet; null: there is nothing to be won by it. */
  #lists: Lists | null | undefined;
  #vanished = 0;

  constructor(deps: ShardedPushDeps, spec: ShardedPushSpec) {
    this.#deps = deps;
    this.#spec = spec;
  }

  /** One attempt; what earlier ones have sent is not sent again. Never rejects. @param signal as of `pushInScope` */
  async attempt(signal: AbortSignal): Promise<PushEnd> {
    const lists = await this.#split(signal);
    if (lists !== null) {
      const broken = await this.#sendShards(lists, signal);
      if (broken !== undefined) return broken;
    }
    const { events } = this.#spec;
    const onOutput = (output: RsyncOutput) => events.output('whole', output);
    const end = await pushInScope(this.#deps.push, { ...this.#spec, onOutput }, signal);
    return { ...end, vanished: end.vanished + this.#vanished };
  }

  async close(): Promise<void> {
    await this.#lists?.remove();
    this.#lists = null;
  }

  async #split(signal: AbortSignal): Promise<Lists | null> {
    const { streams, options, destination } = this.#spec;
    const known = this.#deps.memory.recall(placeOf(destination), performance.now());
    if (this.#lists === undefined && (streams < 2 || options.purpose !== 'copy' || known === 1))
      this.#lists = null;
    if (this.#lists !== undefined) return this.#lists;
    try {
      const count = Math.min(MAX_SHARDS, streams * SHARDS_A_STREAM);
      const lists = await this.#deps.split(count, options.scope === 'Changed', signal);
      const pending = new Set(lists.shards.keys());
      if (pending.size < 2) await lists.remove();
      this.#lists = pending.size < 2 ? null : { ...lists, pending };
    } catch {
      // Whatever is wrong with the volume, the rsync that goes over all will say.
      this.#lists = null;
    }
    return this.#lists;
  }

  /** @returns how the attempt has ended; undefined: it goes on with all */
  async #sendShards(lists: Lists, signal: AbortSignal): Promise<PushEnd | undefined> {
    const { events } = this.#spec;
    events.plan(lists.shards);
    for (const index of lists.shards.keys()) if (!lists.pending.has(index)) events.ended(index);
    const run = new ShardsRun(this.#deps, this.#spec, lists);
    const end = await run.toEnd(signal);
    this.#vanished += run.vanished;
    if (end?.error === undefined) return undefined;
    if (end.transient === true || signal.aborted) return end;
    await this.close();
    return undefined;
  }
}

/** The streams of one attempt. */
class ShardsRun {
  readonly #deps: ShardedPushDeps;
  readonly #spec: ShardedPushSpec;
  readonly #lists: Lists;
  readonly #pace: StreamPace;
  readonly #running = new Set<Work>();
  readonly #stop = new AbortController();
  /** Of streams that have ended. */
  #cost = 0;
  #most = 0;
  #failed: PushEnd | undefined;
  vanished = 0;

  constructor(deps: ShardedPushDeps, spec: ShardedPushSpec, lists: Lists) {
    this.#deps = deps;
    this.#spec = spec;
    this.#lists = lists;
    const { streams, options, destination } = spec;
    const known = deps.memory.recall(placeOf(destination), performance.now());
    // Each has its part of the limit, so all of them are needed to use it.
    this.#pace = new StreamPace(streams, deps.times, options.bandwidthLimitKiB > 0 ? streams : known);
  }

  /** Never rejects. @returns the first failure that is one */
  async toEnd(outer: AbortSignal): Promise<PushEnd | undefined> {
    const signal = AbortSignal.any([outer, this.#stop.signal]);
    const queue = [...this.#lists.pending];
    for (;;) {
      const { streams, settled } = this.#choose(queue.length);
      // A stream that broke off alone is made up for later; when all have, nothing is to be had for now.
      const mayBegin = this.#failed === undefined || this.#running.size > 0;
      // One rsync alone is better without lists.
      const goOn = mayBegin && !signal.aborted && !(settled && streams === 1);
      while (goOn && this.#running.size < streams && queue.length > 0)
        this.#begin(queue.shift() ?? 0, signal);
      if (this.#running.size === 0) return this.#failed;
      await this.#somethingHappens();
    }
  }

  #choose(left: number) {
    const { memory } = this.#deps;
    const before = this.#pace.choice;
    const moving = [...this.#running].filter(({ cost }) => cost !== undefined).length;
    const done = [...this.#running].reduce((sum, { cost = 0 }) => sum + cost, this.#cost);
    // When the last ones are at work, some streams have nothing to do.
    const choice = left > 0 ? this.#pace.update({ now: performance.now(), moving, done }) : before;
    if (choice.settled && !before.settled)
      memory.learn(placeOf(this.#spec.destination), choice.streams, performance.now());
    return choice;
  }

  async #somethingHappens(): Promise<void> {
    const woken = new AbortController();
    const ends = [...this.#running].map(({ done }) => done);
    const tick = sleep(TICK_MS, undefined, { signal: woken.signal }).catch(() => undefined);
    await Promise.race([...ends, tick]);
    woken.abort();
  }

  #begin(index: number, signal: AbortSignal): void {
    const { shards } = this.#lists;
    const shard = shards[index];
    if (shard === undefined) return;
    const { options, events, streams } = this.#spec;
    const limit = options.bandwidthLimitKiB;
    const bandwidthLimitKiB = limit === 0 ? 0 : Math.max(1, Math.floor(limit / streams));
    const onOutput = (output: RsyncOutput) => {
      const { progress } = output;
      if (progress) work.cost = costOf({ files: progress.files ?? 0, bytes: progress.bytes });
      events.output(index, output);
    };
    const spec = { ...this.#spec, options: { ...options, bandwidthLimitKiB }, onOutput };
    const push = pushShard(this.#deps.push, spec, shard.open, signal);
    const work: Work = { index, shard, cost: undefined, done: push.then((end) => this.#ended(work, end)) };
    this.#running.add(work);
    if (this.#running.size > this.#most) {
      this.#most = this.#running.size;
      events.streams(this.#most);
    }
  }

  #ended(work: Work, end: PushEnd): void {
    this.#running.delete(work);
    this.#cost += work.cost ?? 0;
    this.vanished += end.vanished;
    const { error } = end;
    if (error === undefined || error.code === 'TransferPartial') {
      this.#lists.pending.delete(work.index);
      this.#spec.events.ended(work.index);
      return;
    }
    this.#failed ??= end;
    // No other stream will fare better; of what passes by itself they may not be struck at all.
    if (end.transient !== true) this.#stop.abort(new DrError('Cancelled', 'another stream has failed'));
  }
}

function placeOf({ host, port }: PushSpec['destination']): string {
  return `${host}:${port}`;
}
