import { DrError, type Identity } from '@dr-syncer/api';
import type {
  Params,
  TransferDestination,
  TransferKey,
  TransferOptions,
  TransferState,
  VolumeInfo,
  VolumeRef,
} from '@dr-syncer/ssh';

import type { OpenVolume } from '../volumes/open-volume.js';
import { withAttempts } from './attempts.js';
import { JobProgress, type Planned, type StreamId } from './job-progress.js';
import type { ProgressReport, RsyncOutput } from './progress.js';
import type { Names, PushEnd } from './push.js';
import { Rate } from './rate.js';
import { ShardedPush, type ShardedPushDeps } from './sharded-push.js';
import { checkHost } from './ssh-command.js';
import type { Transfer } from './transfer.js';

export interface PreparedTransfer {
  readonly id: string;
  /** Whose the volume is while it is copied. */
  readonly holder: string;
  readonly ref: VolumeRef;
  readonly identity: Identity;
  readonly volume: OpenVolume;
  readonly info: VolumeInfo;
  readonly names: Names;
}

/** One transfer from `prepare` until it is forgotten: what it does and how far it is. */
export class TransferJob implements Transfer {
  readonly id: string;
  readonly prepared: PreparedTransfer;
  /** OpenSSH line of the key's public half. */
  readonly publicKey: string;
  readonly createdAt = Date.now();
  /** Settles with the last state. Never rejects. */
  readonly ended: Promise<TransferState>;
  readonly #settle: (state: TransferState) => void;
  readonly #deps: ShardedPushDeps;
  readonly #record: (state: TransferState) => void;
  readonly #abort = new AbortController();
  #progress = new JobProgress();
  readonly #waiting = new Set<() => void>();
  /** Gone with the end: what is remembered of a transfer cannot log in anywhere. */
  #key: TransferKey | undefined;
  #request: string | undefined;
  #expectedEntries: number | undefined;
  #running: Promise<void> | undefined;
  #rate = new Rate(Date.now());
  #version = 0;
  #state: TransferState;
  #endedAt: number | undefined;

  /** @param record keeps a state for the process after this one */
  constructor(
    prepared: PreparedTransfer,
    key: TransferKey,
    deps: ShardedPushDeps,
    record: (state: TransferState) => void,
  ) {
    this.id = prepared.id;
    this.prepared = prepared;
    this.publicKey = key.publicLine;
    this.#key = key;
    this.#deps = deps;
    this.#record = record;
    let settle: (state: TransferState) => void = () => undefined;
    this.ended = new Promise((resolve) => {
      settle = resolve;
    });
    this.#settle = settle;
    this.#state = {
      id: prepared.id,
      phase: 'Prepared',
      attempt: 1,
      bytesDone: 0,
      bytesPerSecond: 0,
      filesTransferred: 0,
      filesDeleted: 0,
      literalBytes: 0,
      bytesSent: 0,
      bytesReceived: 0,
      vanished: 0,
    };
    this.#record(this.#state);
  }

  /** Milliseconds since 1970; absent while it has not ended. */
  get endedAt(): number | undefined {
    return this.#endedAt;
  }

  /** Grows with each change of the state. */
  get version(): number {
    return this.#version;
  }

  get isRunning(): boolean {
    return this.#running !== undefined && this.#endedAt === undefined;
  }

  state(): TransferState {
    if (!this.isRunning) return this.#state;
    const now = Date.now();
    const bytesPerSecond = Math.round(this.#rate.perSecond(now));
    const left = (this.#state.bytesTotal ?? Number.NaN) - this.#state.bytesDone;
    const eta = bytesPerSecond > 0 && left >= 0 ? { etaSeconds: Math.ceil(left / bytesPerSecond) } : {};
    return { ...this.#state, bytesPerSecond, ...eta };
  }

  /**
   * Begins. The same request again changes nothing, so an answer that was lost can be asked for again.
   *
   * @throws DrError BadRequest: another request, or a destination that is none
   */
  start({ destination, options }: Params<'transfers.start'>): TransferState {
    checkHost(destination.host);
    const request = JSON.stringify([destination, options]);
    const key = this.#key;
    if (this.#running !== undefined || key === undefined) {
      if (this.#request === request) return this.state();
      throw new DrError('BadRequest', `the transfer ${this.id} has been started already`);
    }
    this.#request = request;
    this.#expectedEntries = options.expectedEntries;
    this.#progress = new JobProgress(options.expectedEntries);
    this.#rate = new Rate(Date.now());
    this.#change({ phase: 'Connecting', startedAt: new Date().toISOString() });
    this.#running = this.#run(key, destination, options);
    return this.state();
  }

  /** Ends it, and waits until nothing of it is left. */
  async cancel(reason = new DrError('Cancelled', 'the transfer was cancelled')): Promise<TransferState> {
    this.#abort.abort(reason);
    this.#running ??= this.#finish({ vanished: 0, error: reason });
    await this.#running;
    return this.#state;
  }

  /** Resolves at the next change after `version`, or at once when there was one. @throws the signal's reason */
  async changed(version: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#version !== version) return;
    await new Promise<void>((resolve, reject) => {
      const done = () => {
        signal.removeEventListener('abort', abort);
        this.#waiting.delete(done);
        resolve();
      };
      const abort = () => {
        this.#waiting.delete(done);
        reject(signal.reason as Error);
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  async #run(key: TransferKey, destination: TransferDestination, options: TransferOptions): Promise<void> {
    const { volume, identity, names } = this.prepared;
    const { attempts, totalTimeoutSeconds, streams, ...rest } = options;
    const events = {
      plan: (shards: readonly Planned[]) => this.#change(this.#progress.plan(shards)),
      ended: (shard: number) => this.#change(this.#progress.ended(shard)),
      streams: (count: number) => this.#change({ streams: Math.max(count, this.#state.streams ?? 0) }),
      output: (stream: StreamId, output: RsyncOutput) => this.#take(stream, output),
    };
    const push = new ShardedPush(this.#deps, {
      ...{ volume, identity, key, destination, names, options: rest, streams, events },
    });
    const end = await withAttempts(
      {
        ...{ attempts, totalTimeoutSeconds },
        run: (signal) => push.attempt(signal),
        onAttempt: (attempt) => this.#again(attempt),
        onWaiting: ({ code, message }) => this.#change({ phase: 'Waiting', error: { code, message } }),
      },
      this.#abort.signal,
    );
    await push.close();
    await this.#finish(end);
  }

  #again(attempt: number): void {
    // What the attempt before had found out about totals holds for this one; how far it got does not.
    this.#progress = new JobProgress(this.#expectedEntries);
    this.#rate = new Rate(Date.now());
    this.#state = { ...this.#state };
    delete this.#state.error;
    delete this.#state.percent;
    this.#change({ phase: 'Connecting', attempt, bytesDone: 0 });
  }

  async #finish({ exitCode, vanished, failures, scope, differences, error }: PushEnd): Promise<void> {
    this.#key = undefined;
    await this.prepared.volume.close();
    this.#endedAt = Date.now();
    const took = (this.#endedAt - Date.parse(this.#state.startedAt ?? '')) / 1000;
    this.#change({
      phase: error ? 'Failed' : 'Succeeded',
      finishedAt: new Date(this.#endedAt).toISOString(),
      // Of the whole, now that there is one.
      bytesPerSecond: took > 0 ? Math.round(this.#state.bytesDone / took) : 0,
      vanished,
      ...(scope && { scope }),
      ...(differences && { differences }),
      ...(failures && { failures: [...failures] }),
      ...(error ? { error: { code: error.code, message: error.message } } : { percent: 100 }),
      ...(exitCode === undefined ? {} : { exitCode }),
    });
    this.#settle(this.#state);
  }

  #take(stream: StreamId, { connected, progress, lines }: RsyncOutput): void {
    if (connected && this.#state.phase === 'Connecting') {
      this.#change({ phase: 'Scanning', firstByteAt: this.#state.firstByteAt ?? new Date().toISOString() });
    }
    if (progress) this.#report(stream, progress);
    if (lines.length > 0) this.#change(this.#progress.stats(stream, lines));
  }

  #report(stream: StreamId, report: ProgressReport): void {
    const { complete, toCheck } = report;
    const last = stream === 'whole' && complete && toCheck === 0;
    const change = this.#progress.report(stream, report);
    if (change.bytesDone !== undefined) this.#rate.update(change.bytesDone, Date.now());
    this.#change({ phase: last ? 'Finishing' : 'Transferring', ...change });
  }

  #change(part: Partial<TransferState>): void {
    this.#state = { ...this.#state, ...part };
    this.#version += 1;
    this.#record(this.#state);
    for (const done of [...this.#waiting]) done();
  }
}
