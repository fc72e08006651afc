import { annotation, DrError, type Replication, type ReplicationStatus } from '@dr-syncer/api';
import {
  type EventRecorder,
  isBeingDeleted,
  isConflict,
  type KubeObject,
  kubeToDrError,
  type ReadStore,
  type ReconcileResult,
  refOf,
  writeStatus,
} from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { Cluster } from '../clusters/cluster.js';
import type { RemoteClusters, RemoteHandle } from '../clusters/remote-clusters.js';
import { parseReplication, replications } from '../custom-resources.js';
import type { Deletion } from './deletion.js';
import { planRun, regularTime } from './due.js';
import { followingStatus } from './following.js';
import type { LiveStandbys } from './live-standbys.js';
import { ReplicationProgress } from './progress.js';
import { clearRequest, requestOf } from './request.js';
import { checkAdmission, type Route, routeOf } from './rules.js';
import { fingerprintOf, type SyncRuns } from './sync-runs.js';
import { owesHooks } from './undo-run.js';
import { type VolumeRequest, volumeRequests, volumeRuns } from './volume-request.js';

/** A remote that is not ready is looked for again this often, besides being told when it becomes so. */
const WAIT_MS = 10_000;
/** A timer is not trusted for longer than this: the clock on the wall may be set while it runs. */
const MAX_TIMER_MS = 5 * 60_000;

export interface ReplicationReconcilerOptions {
  readonly source: Cluster;
  readonly store: ReadStore<KubeObject>;
  /** The RemoteCluster objects. */
  readonly clusters: ReadStore<KubeObject>;
  readonly remotes: RemoteClusters;
  readonly runs: SyncRuns;
  readonly live: LiveStandbys;
  readonly deletion: Deletion;
  readonly events: EventRecorder;
  readonly logger: Logger;
}

/** Decides when a Replication is to be synced, and says why when it is not. The sync itself is a `SyncRuns` matter. */
export class ReplicationReconciler {
  readonly #options: ReplicationReconcilerOptions;

  constructor(options: ReplicationReconcilerOptions) {
    this.#options = options;
  }

  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { store, runs, deletion, logger } = this.#options;
    const object = store.get(key);
    if (object === undefined) {
      await runs.cancel(key);
      return {};
    }
    const parsed = parseReplication(object);
    if (!parsed.ok) {
      logger.error('Replication does not fit the schema of this version', { key, problem: parsed.problem });
      return {};
    }
    const replication = parsed.value;
    if (isBeingDeleted(object)) {
      await runs.cancel(key);
      if (runs.isRunning(key)) return {};
      // What was begun in pods of the source is undone before the record of it goes.
      if (owesHooks(object, replication)) return again(runs.undo(key, object));
      await deletion.finish(object, replication, signal);
      return {};
    }
    await deletion.prepare(object, replication, signal);
    if (replication.spec.paused) return this.#pause(key, object, replication, signal);
    if (runs.isRunning(key)) {
      // An invitation that is withdrawn ends what it allowed.
      if (!this.#isAdmitted(replication)) {
        await runs.cancel(key);
        return {};
      }
      // The end of the run brings the key again, and the new spec is taken up.
      if (runs.generationOf(key) !== replication.metadata.generation) runs.interrupt(key);
      return {};
    }
    return this.#unlessOwing(key, object, replication, () => this.#decide(key, object, replication, signal));
  }

  /** First what is owed; while that fails everything else goes on, and pods that are still at rest stay as they are. */
  async #unlessOwing(
    key: string,
    object: KubeObject,
    replication: Replication,
    otherwise: () => Promise<ReconcileResult>,
  ): Promise<ReconcileResult> {
    if (!owesHooks(object, replication)) return otherwise();
    const wait = this.#options.runs.undo(key, object);
    if (wait === undefined) return {};
    const result = await otherwise();
    return { requeueAfterMs: Math.min(wait, result.requeueAfterMs ?? wait) };
  }

  async #pause(
    key: string,
    object: KubeObject,
    replication: Replication,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { runs } = this.#options;
    await runs.cancel(key);
    if (runs.isRunning(key)) return {};
    return this.#unlessOwing(key, object, replication, async () => {
      const state = { phase: 'Paused', reason: 'Paused', message: 'spec.paused is true.' } as const;
      await this.#say(object, replication, state, signal);
      return {};
    });
  }

  async #decide(
    key: string,
    object: KubeObject,
    replication: Replication,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { remotes, runs, live, source } = this.#options;
    try {
      const route = routeOf(replication);
      const remote = this.#remoteOf(route, replication, remotes);
      const isFollowing = live.isCurrent(key, fingerprintOf(replication, remote));
      const plan = (now: KubeObject, at: Replication) =>
        planRun({
          ...{ replication: at, request: requestOf(now), volumeRun: nextVolumeRun(now, at), isFollowing },
          ...{ retryAt: runs.retryAt(key), now: new Date() },
        });
      for (const { kind, id, answered } of volumeRequests(object, replication)) {
        if (answered) await clearRequest(source, object, id, volumeRuns[kind].key);
      }
      const seen = plan(object, replication);
      if (seen.run === undefined) {
        if (!isFollowing) await live.stop(key);
        await this.#idle(key, object, replication, signal);
        return wake(seen.next);
      }
      // The mirror may not have seen yet what the last run wrote.
      const fresh = await source.client.get(refOf(replications, object), { signal });
      const parsed = parseReplication(fresh);
      if (!parsed.ok || parsed.value.metadata.generation !== replication.metadata.generation) return {};
      const { run, next } = plan(fresh, parsed.value);
      if (run === undefined) return wake(next);
      runs.start(key, { object: fresh, replication: parsed.value, route, remote, run });
      return {};
    } catch (err) {
      signal.throwIfAborted();
      await live.stop(key);
      return this.#refused(object, replication, kubeToDrError(err), signal);
    }
  }

  /** True as well when the RemoteCluster is not known now: a run under way is ended for better reasons only. */
  #isAdmitted(replication: Replication): boolean {
    try {
      const { remoteKey } = routeOf(replication);
      const handle = this.#options.remotes.get(remoteKey);
      if (handle !== undefined) checkAdmission(remoteKey, handle.spec, replication);
      return true;
    } catch {
      return false;
    }
  }

  #remoteOf({ remoteKey }: Route, replication: Replication, remotes: RemoteClusters): RemoteHandle {
    if (!this.#options.clusters.has(remoteKey)) {
      throw new DrError('RemoteClusterNotFound', `there is no RemoteCluster ${remoteKey}`);
    }
    const remote = remotes.require(remoteKey);
    checkAdmission(remoteKey, remote.spec, replication);
    return remote;
  }

  async #refused(
    object: KubeObject,
    replication: Replication,
    err: DrError,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const waiting = err.code === 'RemoteClusterNotReady' || err.code === 'RemoteClusterNotFound';
    const message = `${err.message}. ${err.remedy}`;
    // Waiting is news only for somebody who has asked.
    if (!waiting || requestOf(object) !== undefined) {
      this.#options.events.record({
        ...{ regarding: object, type: 'Warning', reason: err.code, action: 'Sync', message },
      });
    }
    const phase = waiting ? 'Pending' : 'Failed';
    await this.#say(object, replication, { phase, reason: err.code, message }, signal);
    return waiting ? { requeueAfterMs: WAIT_MS } : {};
  }

  /** Nothing to do: says what is followed, when the next sync is due, or that the Replication waits to be asked. */
  async #idle(key: string, object: KubeObject, replication: Replication, signal: AbortSignal): Promise<void> {
    const { live, logger } = this.#options;
    const engine = live.get(key);
    if (engine !== undefined) {
      const status = followingStatus(replication, engine, new Date());
      if (status?.phase !== replication.status?.phase) {
        logger.info('standby that is followed', { replication: key, phase: status?.phase });
      }
      if (status !== undefined) await this.#write(object, status, signal);
      return;
    }
    const { phase, conditions = [] } = replication.status ?? {};
    // What the last sync found stays until the next one: also that the application runs at the destination.
    const isActive = conditions.some(({ type, reason }) => type === 'Ready' && reason === 'StandbyActive');
    if (phase === 'Completed' || phase === 'Failed' || isActive) {
      const progress = new ReplicationProgress(replication);
      progress.set({ nextSyncTime: regularTime(replication, new Date())?.toISOString() });
      await this.#write(object, shown(progress.snapshot()), signal);
      return;
    }
    const message = `Set the annotation ${annotation.syncNow} to start a sync.`;
    await this.#say(object, replication, { phase: 'Pending', reason: 'WaitingForRequest', message }, signal);
  }

  async #say(
    object: KubeObject,
    replication: Replication,
    state: { phase: 'Pending' | 'Failed' | 'Paused'; reason: string; message: string },
    signal: AbortSignal,
  ): Promise<void> {
    const progress = new ReplicationProgress(replication);
    progress.set({ phase: state.phase, nextSyncTime: undefined });
    progress.condition({ type: 'Ready', status: 'False', reason: state.reason, message: state.message });
    await this.#write(object, shown(progress.snapshot()), signal);
  }

  async #write(object: KubeObject, status: object, signal: AbortSignal): Promise<void> {
    try {
      await writeStatus(this.#options.source.client, replications, object, status, { signal });
    } catch (err) {
      // Somebody wrote in between; the mirror brings the new object, and with it this key, by itself.
      if (!isConflict(err)) throw err;
    }
  }
}

/** Without volumes there is nothing to say about them. */
function shown({ volumes, volumesSummary, ...status }: ReplicationStatus): ReplicationStatus {
  return volumes === undefined || volumes.length === 0 ? status : { ...status, volumes, volumesSummary };
}

function nextVolumeRun(object: KubeObject, replication: Replication): VolumeRequest | undefined {
  return volumeRequests(object, replication).find(({ answered }) => !answered);
}

function again(requeueAfterMs: number | undefined): ReconcileResult {
  return requeueAfterMs === undefined ? {} : { requeueAfterMs };
}

function wake(next: Date | undefined): ReconcileResult {
  if (next === undefined) return {};
  return { requeueAfterMs: Math.min(MAX_TIMER_MS, Math.max(1, next.getTime() - Date.now())) };
}
