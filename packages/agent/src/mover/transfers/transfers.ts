import { isDeepStrictEqual } from 'node:util';

import { DrError } from '@dr-syncer/api';
import { generateTransferKey, type Params, type Result, type TransferState } from '@dr-syncer/ssh';

import type { RsyncFacts } from '../rsync-facts.js';
import { infoOf, type VolumeLocator } from '../volumes/locate.js';
import type { SurveyStore } from '../surveys/survey-store.js';
import type { JobStore } from './job-store.js';
import type { Splitter } from '../surveys/splitter.js';
import type { PushDeps } from './push.js';
import { RestoredTransfer } from './restored-transfer.js';
import { StreamMemory } from './stream-memory.js';
import type { PaceTimes } from './stream-pace.js';
import type { Transfer } from './transfer.js';
import { TransferJob } from './transfer-job.js';

export interface TransfersOptions {
  readonly locator: VolumeLocator;
  readonly rsync: RsyncFacts;
  readonly push: PushDeps;
  readonly surveys: Pick<SurveyStore, 'openNames'>;
  readonly splitter: Pick<Splitter, 'split'>;
  readonly paceTimes: PaceTimes;
  /** What has been left by the mover before is taken up from here. */
  readonly store: JobStore;
  /** Prepared or running. */
  readonly maxLive: number;
  /** Ended ones that are kept until they are forgotten. */
  readonly maxEnded: number;
  readonly keepEndedMs: number;
  /** A prepared one that is not started keeps its volume from being unmounted; not for longer than this. */
  readonly keepPreparedMs: number;
  readonly onEnded: (state: TransferState) => void;
}

const SWEEP_MS = 30_000;

/** The transfers of which this node is the source. They go on when whoever started them is gone. */
export class Transfers {
  readonly #options: TransfersOptions;
  readonly #jobs = new Map<string, Transfer>();
  readonly #preparing = new Set<string>();
  readonly #memory = new StreamMemory();
  readonly #sweep: NodeJS.Timeout;
  #closed = false;

  constructor(options: TransfersOptions) {
    this.#options = options;
    for (const last of options.store.load()) {
      const restored = new RestoredTransfer(last);
      this.#jobs.set(last.id, restored);
      options.store.write(restored.state());
    }
    this.#sweep = setInterval(() => void this.#forgetOld(), SWEEP_MS);
    this.#sweep.unref();
  }

  /**
   * Opens the volume and makes the key. The same request again is answered as before.
   *
   * @throws DrError VolumeNotFound, RsyncTooOld, Busy, BadRequest, Timeout
   */
  async prepare({
    id,
    holder,
    volume: ref,
    identity,
  }: Params<'transfers.prepare'>): Promise<Result<'transfers.prepare'>> {
    const { rsync, locator, splitter } = this.#options;
    const present = this.#jobs.get(id);
    if (present) return answerAgain(present, ref, identity);
    rsync.assertMay(identity);
    await this.#forgetOld();
    await this.#endOthers(holder);
    this.#reserve(id);
    try {
      const volume = await locator.open(ref);
      try {
        const info = await infoOf(volume);
        if (this.#closed) throw new DrError('Cancelled', 'the agent is being ended');
        const key = generateTransferKey(id);
        const job = new TransferJob(
          {
            id,
            holder,
            ref,
            identity,
            volume,
            info,
            names: (which) => this.#options.surveys.openNames(holder, which),
          },
          key,
          {
            push: this.#options.push,
            memory: this.#memory,
            times: this.#options.paceTimes,
            split: (count, changedOnly, signal) =>
              splitter.split({ holder, volume, identity, count, changedOnly }, signal),
          },
          this.#options.store.recorder(),
        );
        this.#jobs.set(id, job);
        return { publicKey: job.publicKey, volume: info };
      } catch (err) {
        await volume.close();
        throw err;
      }
    } finally {
      this.#preparing.delete(id);
    }
  }

  /** @throws DrError TransferNotFound, BadRequest */
  start(params: Params<'transfers.start'>): TransferState {
    const job = this.get(params.id);
    if (!(job instanceof TransferJob)) {
      throw new DrError('TransferNotFound', `the transfer ${params.id} is one of the mover before this one`);
    }
    const before = job.state().phase;
    const state = job.start(params);
    if (before !== state.phase && state.phase === 'Connecting') {
      void job.ended.then((last) => {
        this.#options.onEnded(last);
        void this.#forgetOld();
      });
    }
    return state;
  }

  /** @throws DrError TransferNotFound */
  get(id: string): Transfer {
    const job = this.#jobs.get(id);
    if (job === undefined) throw new DrError('TransferNotFound', `there is no transfer ${id}`);
    return job;
  }

  list(): TransferState[] {
    return [...this.#jobs.values()].map((job) => job.state());
  }

  get running(): number {
    return [...this.#jobs.values()].filter((job) => job.isRunning).length;
  }

  /** False: there is none. */
  async forget(id: string): Promise<boolean> {
    const job = this.#jobs.get(id);
    if (job === undefined) return false;
    await job.cancel();
    this.#options.store.remove(id);
    return this.#jobs.delete(id);
  }

  /** Ends everything and waits for it. */
  async closeAll(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweep);
    const reason = new DrError('TransferInterrupted', 'the agent is being ended');
    await Promise.all([...this.#jobs.values()].map((job) => job.cancel(reason)));
  }

  /** What an earlier controller or request has begun and not ended, and nobody asks for any more. */
  async #endOthers(holder: string): Promise<void> {
    const others = [...this.#jobs.values()].filter(
      (job) => job instanceof TransferJob && job.prepared.holder === holder && job.endedAt === undefined,
    );
    await Promise.all(others.map(({ id }) => this.forget(id)));
  }

  #reserve(id: string): void {
    if (this.#closed || this.#preparing.has(id)) throw new DrError('Busy', 'this transfer is being prepared');
    const live = [...this.#jobs.values()].filter((job) => job.endedAt === undefined).length;
    if (live + this.#preparing.size >= this.#options.maxLive) {
      throw new DrError('Busy', `${this.#options.maxLive} transfers are prepared or running`);
    }
    this.#preparing.add(id);
  }

  async #forgetOld(): Promise<void> {
    const { maxEnded, keepEndedMs, keepPreparedMs } = this.#options;
    const now = Date.now();
    // In the order in which they were prepared.
    const jobs = [...this.#jobs.values()];
    const ended = jobs.filter((job) => job.endedAt !== undefined);
    const tooMany = ended.slice(0, Math.max(0, ended.length - maxEnded));
    const tooOld = ended.filter((job) => now - (job.endedAt ?? now) > keepEndedMs);
    const neverStarted = jobs.filter(
      (job) => job.endedAt === undefined && !job.isRunning && now - job.createdAt > keepPreparedMs,
    );
    await Promise.all([...tooMany, ...tooOld, ...neverStarted].map(({ id }) => this.forget(id)));
  }
}

function answerAgain(
  job: Transfer,
  ref: Params<'transfers.prepare'>['volume'],
  identity: Params<'transfers.prepare'>['identity'],
): Result<'transfers.prepare'> {
  if (!(job instanceof TransferJob)) throw new DrError('BadRequest', `the transfer ${job.id} has ended`);
  const { prepared } = job;
  if (
    job.state().phase !== 'Prepared' ||
    !isDeepStrictEqual([prepared.ref, prepared.identity], [ref, identity])
  ) {
    throw new DrError('BadRequest', `there is another transfer ${job.id}`);
  }
  return { publicKey: job.publicKey, volume: prepared.info };
}
