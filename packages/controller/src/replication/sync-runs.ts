import { DrError, type Replication } from '@dr-syncer/api';
import { type EventRecorder, type KubeObject, kubeToDrError } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';
import PQueue from 'p-queue';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import type { RemoteHandle } from '../clusters/remote-clusters.js';
import type { SyncMetrics } from '../metrics.js';
import type { MoverPolicy } from '../volumes/identities.js';
import { ReplicationProgress } from './progress.js';
import { clearRequest } from './reconciler.js';
import type { Route } from './rules.js';
import { StatusWriter } from './status-writer.js';
import { syncNamespace, type SyncOutcome } from './sync-run.js';

export interface SyncStart {
  readonly object: KubeObject;
  readonly replication: Replication;
  readonly route: Route;
  readonly remote: RemoteHandle;
  readonly request: string;
}

export interface SyncRunsOptions {
  readonly source: Cluster;
  readonly sourceAgents: Agents;
  readonly concurrency: number;
  readonly concurrentTransfers: number;
  readonly placeholderImage: string;
  readonly policy: MoverPolicy;
  readonly metrics: SyncMetrics;
  readonly events: EventRecorder;
  readonly logger: Logger;
  /** The run of this Replication has ended. */
  readonly onEnded: (key: string) => void;
}

/** The syncs that are running: at most one a Replication, a bounded number in all, each with its status. */
export class SyncRuns {
  readonly #options: SyncRunsOptions;
  readonly #runs = new Map<string, AbortController>();
  readonly #queue: PQueue;
  readonly #transfers: PQueue;

  constructor(options: SyncRunsOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency });
    this.#transfers = new PQueue({ concurrency: options.concurrentTransfers });
  }

  isRunning(key: string): boolean {
    return this.#runs.has(key);
  }

  /** Starts or queues the sync. No effect when the Replication is being synced. */
  start(key: string, start: SyncStart): void {
    if (this.#runs.has(key)) return;
    const controller = new AbortController();
    this.#runs.set(key, controller);
    void this.#queue.add(async () => {
      try {
        if (!controller.signal.aborted) await this.#run(key, start, controller.signal);
      } catch (err) {
        this.#options.logger.error('sync could not be brought to its end', { key, err });
      } finally {
        this.#runs.delete(key);
        this.#options.onEnded(key);
      }
    });
  }

  cancel(key: string): void {
    this.#runs.get(key)?.abort(new DrError('Cancelled', 'the Replication is gone'));
  }

  /** Ends all runs; transfers go on at the agents and are found again. */
  async close(): Promise<void> {
    const reason = new DrError('LeadershipLost', 'the controller ends or leads no more');
    for (const controller of this.#runs.values()) controller.abort(reason);
    await this.#queue.onIdle();
  }

  async #run(key: string, start: SyncStart, signal: AbortSignal): Promise<void> {
    const { source, sourceAgents, events, metrics } = this.#options;
    const { object, replication, request } = start;
    const logger = this.#options.logger.child({ replication: key, request });
    const progress = new ReplicationProgress(replication);
    const writer = new StatusWriter(source.client, object, () => progress.snapshot());
    const startedAt = new Date();
    const began = performance.now();
    progress.set({ phase: 'Running' });
    progress.condition({
      type: 'Syncing',
      status: 'True',
      reason: 'Running',
      message: `Request ${request}.`,
    });
    writer.changed();
    events.record({
      ...{ regarding: object, type: 'Normal', action: 'Sync', reason: 'SyncStarted' },
      message: `Sync to ${start.route.remoteKey}, namespace ${start.route.destinationNamespace}.`,
    });
    logger.info('sync started');
    const outcome = await this.#attempt(
      {
        ...{
          replication,
          request,
          route: start.route,
          remote: start.remote,
          source,
          sourceAgents,
          progress,
          logger,
        },
        ...{ placeholderImage: this.#options.placeholderImage, policy: this.#options.policy },
        changed: () => writer.changed(),
        tell: (news) => events.record({ regarding: object, ...news }),
        transfers: this.#transfers,
      },
      signal,
    );
    // Cancelled: the Replication is being deleted, or this process ends and the next one takes the request up.
    if (outcome === undefined) return;
    const seconds = (performance.now() - began) / 1000;
    progress.set({
      phase: outcome.ok ? 'Completed' : 'Failed',
      lastSyncRequest: request,
      lastSyncTime: new Date().toISOString(),
      lastSyncDuration: `${seconds.toFixed(1)}s`,
      ...(outcome.ok && { lastSuccessTime: startedAt.toISOString() }),
    });
    const { ok, reason, message } = outcome;
    progress.condition({ type: 'Ready', status: ok ? 'True' : 'False', reason, message });
    progress.condition({ type: 'Syncing', status: 'False', reason: 'Ended', message: `Request ${request}.` });
    await writer.flush();
    await clearRequest(source, object, request);
    metrics.syncEnded(key, ok, seconds);
    events.record({
      ...{ regarding: object, action: 'Sync', message },
      ...(ok ? { type: 'Normal', reason: 'SyncCompleted' } : { type: 'Warning', reason }),
    });
    logger.info('sync ended', { ok, reason, seconds });
  }

  /** @returns undefined when cancelled */
  async #attempt(
    options: Parameters<typeof syncNamespace>[0],
    signal: AbortSignal,
  ): Promise<SyncOutcome | undefined> {
    try {
      return await syncNamespace(options, signal);
    } catch (err) {
      if (signal.aborted) return undefined;
      const problem = kubeToDrError(err);
      options.logger.warn('sync failed', { err: problem });
      return { ok: false, reason: problem.code, message: `${problem.message}. ${problem.remedy}` };
    }
  }
}
