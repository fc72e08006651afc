import { setMaxListeners } from 'node:events';

import { DrError, type Replication } from '@dr-syncer/api';
import { backoffMs, type EventRecorder, type KubeObject, kubeToDrError, refOf } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';
import PQueue from 'p-queue';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import type { RemoteHandle } from '../clusters/remote-clusters.js';
import { confirmedToken, replications } from '../custom-resources.js';
import type { EngineHub } from '../engine/index.js';
import type { SyncMetrics } from '../metrics.js';
import type { MoverPolicy } from '../volumes/identities.js';
import { HookBook } from '../volumes/hooks/hook-book.js';
import type { VolumeServices } from '../volumes/services.js';
import { type RunPlan, regularTime } from './due.js';
import { writeLastSync } from './last-sync.js';
import type { HookServices } from './copy-at-rest.js';
import type { LiveStandbys } from './live-standbys.js';
import type { SyncOutcome } from './outcome.js';
import { lastSyncOf, ReplicationProgress, showObjects } from './progress.js';
import { clearRequest } from './request.js';
import type { Route } from './rules.js';
import { engineFor } from './standby.js';
import { StatusWriter } from './status-writer.js';
import { undoHooks } from './undo-run.js';
import { type HeldEngine, syncNamespace, type SyncRunOptions } from './sync-run.js';
import { runVolumes } from './volume-run.js';

export interface SyncStart {
  readonly object: KubeObject;
  readonly replication: Replication;
  readonly route: Route;
  readonly remote: RemoteHandle;
  readonly run: RunPlan;
}

export interface SyncRunsOptions {
  readonly source: Cluster;
  readonly sourceId: string;
  readonly sourceAgents: Agents;
  readonly hub: EngineHub;
  readonly live: LiveStandbys;
  /** Passes over objects at the same time. */
  readonly concurrency: number;
  readonly volumeServices: VolumeServices;
  readonly policy: MoverPolicy;
  readonly metrics: SyncMetrics;
  readonly events: EventRecorder;
  readonly logger: Logger;
  /** The Replication as it is now. */
  readonly current: (key: string) => KubeObject | undefined;
  /** The run of this Replication has ended, or what is followed of it has changed. */
  readonly onChange: (key: string, afterMs: number) => void;
}

/** A process that was told to end has this long for post hooks; who comes next does what is left. */
const LAST_UNDO_MS = 8_000;

interface Run {
  readonly controller: AbortController;
  readonly generation: number;
  /** Called when the engine that the run works with has news. */
  news: () => void;
}

/** How long news of a standby that is followed may wait for company on their way into the status. */
const NEWS_MS = 5_000;
const BAD_NEWS_MS = 500;
const UNDO_RETRY = { minMs: 5_000, maxMs: 5 * 60_000 } as const;
const RETRY = { minMs: 30_000, maxMs: 30 * 60_000 } as const;

/** The syncs that are running: at most one a Replication, each with its status. */
export class SyncRuns {
  readonly #options: SyncRunsOptions;
  readonly #runs = new Map<string, Run>();
  /** Failures in a row that may pass, by key; forgotten with a good run or another spec. */
  readonly #failures = new Map<string, { count: number; at: Date }>();
  readonly #ending = new Set<Promise<void>>();
  /** Post hooks that are made up for, by key. */
  readonly #undoing = new Set<string>();
  /** Failures in a row of that, by key. */
  readonly #owing = new Map<string, { count: number; at: number }>();
  readonly #undo = new AbortController();
  readonly #passes: PQueue;

  constructor(options: SyncRunsOptions) {
    this.#options = options;
    this.#passes = new PQueue({ concurrency: options.concurrency });
    setMaxListeners(0, this.#undo.signal);
  }

  /** A sync of it, or what an earlier one owes. */
  isRunning(key: string): boolean {
    return this.#runs.has(key) || this.#undoing.has(key);
  }

  /** Generation of the spec that the run of the key goes by. */
  generationOf(key: string): number | undefined {
    return this.#runs.get(key)?.generation;
  }

  /** When a sync that failed for a passing reason is tried again. */
  retryAt(key: string): Date | undefined {
    return this.#failures.get(key)?.at;
  }

  /** Starts the sync. No effect when the Replication is being synced. */
  start(key: string, start: SyncStart): void {
    if (this.isRunning(key)) return;
    const { generation } = start.replication.metadata;
    const run: Run = { controller: new AbortController(), generation, news: () => undefined };
    // Each call and transfer listens; Node.js would take more than ten for a leak.
    setMaxListeners(0, run.controller.signal);
    this.#runs.set(key, run);
    const ending = this.#run(key, start, run)
      .catch((err: unknown) => {
        if (!run.controller.signal.aborted) {
          this.#options.logger.error('sync could not be brought to its end', { key, err });
        }
      })
      .finally(() => {
        this.#runs.delete(key);
        this.#ending.delete(ending);
        this.#options.onChange(key, 0);
      });
    this.#ending.add(ending);
  }

  /**
   * Makes up for post hooks that are owed. It is not ended by `cancel`: a Replication that is paused or deleted owes them,
   * too.
   *
   * @returns milliseconds until it may be tried again; undefined: it has been begun
   */
  undo(key: string, object: KubeObject): number | undefined {
    const owing = this.#owing.get(key);
    const wait = (owing?.at ?? 0) - performance.now();
    if (this.isRunning(key)) return undefined;
    if (wait > 0) return wait;
    this.#undoing.add(key);
    const { source, events, logger, metrics } = this.#options;
    const ended = metrics.hookEnded.bind(metrics, key);
    const ending = undoHooks({ source, events, logger, ended }, object, this.#undo.signal)
      .catch((err: unknown) => {
        if (!this.#undo.signal.aborted) logger.warn('hooks are still owed', { key, err: kubeToDrError(err) });
        return false;
      })
      .then((done) => {
        const count = (owing?.count ?? 0) + 1;
        if (done) this.#owing.delete(key);
        else this.#owing.set(key, { count, at: performance.now() + backoffMs(count - 1, UNDO_RETRY) });
        this.#undoing.delete(key);
        this.#ending.delete(ending);
        this.#options.onChange(key, 0);
      });
    this.#ending.add(ending);
    return undefined;
  }

  /** Ends what runs and what is followed. */
  async cancel(key: string): Promise<void> {
    this.#runs.get(key)?.controller.abort(new DrError('Cancelled', 'the Replication is paused or gone'));
    this.#failures.delete(key);
    await this.#options.live.stop(key);
  }

  /** Ends the run alone; the next one takes its place. */
  interrupt(key: string): void {
    this.#runs.get(key)?.controller.abort(new DrError('Cancelled', 'the spec has changed'));
  }

  /**
   * Ends all runs; transfers go on at the agents and are found again.
   *
   * @param leads it is still the leader, and may bring pods back from rest
   */
  async close(leads: boolean): Promise<void> {
    const reason = new DrError('LeadershipLost', 'the controller ends or leads no more');
    if (!leads) this.#undo.abort(reason);
    for (const { controller } of this.#runs.values()) controller.abort(reason);
    const timer = setTimeout(() => this.#undo.abort(reason), LAST_UNDO_MS);
    await Promise.all(this.#ending);
    clearTimeout(timer);
    await this.#options.live.close();
  }

  async #run(key: string, start: SyncStart, run: Run): Promise<void> {
    const { source, events, metrics } = this.#options;
    const { object, replication, run: plan } = start;
    const { signal } = run.controller;
    const logger = this.#options.logger.child({ replication: key, request: plan.id });
    if (plan.cause === 'Reverse' || plan.cause === 'ReverseCheck' || plan.cause === 'Drill') {
      await runVolumes({ ...this.#options, logger }, plan.cause, start, signal);
      return;
    }
    const progress = new ReplicationProgress(replication);
    let engine: HeldEngine['engine'] | undefined;
    const writer = new StatusWriter(source.client, object, () => {
      if (engine !== undefined) showObjects(engine, progress);
      return progress.snapshot();
    });
    const startedAt = new Date();
    const began = performance.now();
    const what = `${plan.cause} ${plan.id}.`;
    progress.set({ phase: 'Running' });
    progress.condition({ type: 'Syncing', status: 'True', reason: 'Running', message: what });
    writer.changed();
    if (plan.volumes) {
      events.record({
        ...{ regarding: object, type: 'Normal', action: 'Sync', reason: 'SyncStarted' },
        message: `Sync to ${start.route.remoteKey}, namespace ${start.route.destinationNamespace}.`,
      });
    }
    logger.info('sync started', { cause: plan.cause });
    const outcome = await this.#attempt(
      {
        ...{ replication, progress, logger, source },
        ...{ request: plan.id, volumes: plan.volumes, route: start.route, remote: start.remote },
        ...{ sourceId: this.#options.sourceId, sourceAgents: this.#options.sourceAgents },
        ...{ volumeServices: this.#options.volumeServices, policy: this.#options.policy },
        passes: this.#passes,
        hooks: this.#hooks(key, start, progress, writer),
        changed: () => writer.changed(),
        tell: (news) => events.record({ regarding: object, ...news }),
        engine: async (claimed) => {
          const held = await this.#hold(key, start, claimed);
          ({ engine } = held);
          run.news = () => writer.changed();
          const release = (): Promise<void> => {
            // An engine that is closed knows nothing any more.
            showObjects(held.engine, progress);
            engine = undefined;
            return held.release();
          };
          return { engine: held.engine, release };
        },
      },
      signal,
    );
    // Cancelled: paused, deleted, another spec, or this process ends; whoever comes next takes it up.
    if (outcome === undefined) return;
    run.news = () => undefined;
    const seconds = (performance.now() - began) / 1000;
    this.#remember(key, outcome);
    this.#finish(progress, start, outcome, startedAt, seconds);
    await writer.flush();
    await this.#leaveRecord(start, progress, outcome, signal, logger);
    if (plan.cause === 'Request') await clearRequest(source, object, plan.id);
    const { ok, reason, message } = outcome;
    if (plan.volumes) metrics.syncEnded(key, ok, seconds);
    if (plan.volumes || !ok) {
      events.record({
        ...{ regarding: object, action: 'Sync', message },
        ...(ok ? { type: 'Normal', reason: 'SyncCompleted' } : { type: 'Warning', reason }),
      });
    }
    logger.info('sync ended', { ok, reason, seconds });
  }

  #hooks(
    key: string,
    { object, replication }: SyncStart,
    progress: ReplicationProgress,
    writer: StatusWriter,
  ): HookServices {
    const { source, metrics } = this.#options;
    const book = new HookBook({
      ...{ client: source.client, ref: refOf(replications, object), status: replication.status?.hooks },
      save: async (hooks) => {
        progress.set({ hooks });
        await writer.flush();
      },
    });
    return { book, undo: this.#undo.signal, ended: metrics.hookEnded.bind(metrics, key) };
  }

  #finish(
    progress: ReplicationProgress,
    { replication, run }: SyncStart,
    { ok, reason, message }: SyncOutcome,
    startedAt: Date,
    seconds: number,
  ): void {
    const now = new Date();
    const isFollowed = replication.spec.sync.mode === 'Continuous';
    progress.set({
      phase: ok ? 'Completed' : reason === 'StandbyActive' ? 'Paused' : 'Failed',
      ...(isFollowed && ok && { objectsSyncedTime: now.toISOString() }),
      ...(run.cause === 'Request' && { lastSyncRequest: run.id }),
    });
    if (run.volumes) {
      progress.set({
        lastSyncTime: now.toISOString(),
        lastSyncDuration: `${seconds.toFixed(1)}s`,
        lastRunTime: startedAt.toISOString(),
        lastRunGeneration: replication.metadata.generation,
        ...(ok && { lastSuccessTime: startedAt.toISOString() }),
      });
    }
    const { metadata, spec } = replication;
    const next = regularTime({ metadata, spec, status: progress.snapshot() }, now);
    progress.set({ nextSyncTime: next?.toISOString() });
    progress.condition({ type: 'Ready', status: ok ? 'True' : 'False', reason, message });
    progress.condition({
      type: 'Syncing',
      status: 'False',
      reason: 'Ended',
      message: `${run.cause} ${run.id}.`,
    });
  }

  /** At the destination, for the day when the status can't be read. It is not worth failing a sync for. */
  async #leaveRecord(
    { replication, route, remote }: SyncStart,
    progress: ReplicationProgress,
    outcome: SyncOutcome,
    signal: AbortSignal,
    logger: Logger,
  ): Promise<void> {
    if (outcome.reason === 'StandbyActive' || outcome.reason === 'DestinationOwned') return;
    const record = lastSyncOf(replication, progress, outcome, new Date());
    try {
      await writeLastSync(remote.cluster.client, route.destinationNamespace, record, signal);
    } catch (err) {
      logger.warn('the record of this sync could not be left at the destination', { err });
    }
  }

  #remember(key: string, { ok, retry }: SyncOutcome): void {
    if (ok || !retry) {
      this.#failures.delete(key);
      return;
    }
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    this.#failures.set(key, { count, at: new Date(Date.now() + backoffMs(count - 1, RETRY)) });
  }

  async #hold(
    key: string,
    { replication, route, remote }: SyncStart,
    claimed: Parameters<SyncRunOptions['engine']>[0],
  ): Promise<HeldEngine> {
    const { source, sourceId, hub, live, current, onChange } = this.#options;
    const watch = replication.spec.sync.mode === 'Continuous';
    const open = () =>
      engineFor(
        {
          ...{ hub, source, sourceId, replication, route, watch },
          remote: remote.cluster,
          confirmed: () => confirmedToken(current(key)),
          onChange: () => {
            const run = this.#runs.get(key);
            if (run !== undefined) run.news();
            else onChange(key, isWell(live.get(key)) ? NEWS_MS : BAD_NEWS_MS);
          },
        },
        claimed,
      );
    if (watch) {
      const engine = await live.use(key, fingerprintOf(replication, remote), open);
      return { engine, release: () => Promise.resolve() };
    }
    const opened = open();
    return { engine: opened.engine, release: () => opened.close() };
  }

  /** @returns undefined when cancelled */
  async #attempt(options: SyncRunOptions, signal: AbortSignal): Promise<SyncOutcome | undefined> {
    try {
      return await syncNamespace(options, signal);
    } catch (err) {
      if (signal.aborted) return undefined;
      const problem = kubeToDrError(err);
      options.logger.warn('sync failed', { err: problem });
      const message = `${problem.message}. ${problem.remedy}`;
      return { ok: false, reason: problem.code, message, retry: problem.kind === 'retry' };
    }
  }
}

/** Changes when what is followed has to be followed anew. */
export function fingerprintOf({ metadata }: Replication, remote: Pick<RemoteHandle, 'fingerprint'>): string {
  return `${metadata.uid}/${metadata.generation}/${remote.fingerprint}`;
}

function isWell(engine: ReturnType<LiveStandbys['get']>): boolean {
  return engine?.halted === undefined && engine?.tally.failures === 0;
}
