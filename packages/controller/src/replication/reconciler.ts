import { annotation, DrError, type Replication } from '@dr-syncer/api';
import {
  type EventRecorder,
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
import type { RemoteClusters } from '../clusters/remote-clusters.js';
import { parseReplication, replications } from '../custom-resources.js';
import { ReplicationProgress } from './progress.js';
import { checkAdmission, type Route, routeOf } from './rules.js';
import type { SyncRuns } from './sync-runs.js';

/** A remote that is not ready is looked for again this often, besides being told when it becomes so. */
const WAIT_MS = 10_000;

export interface ReplicationReconcilerOptions {
  readonly source: Cluster;
  readonly store: ReadStore<KubeObject>;
  /** The RemoteCluster objects. */
  readonly clusters: ReadStore<KubeObject>;
  readonly remotes: RemoteClusters;
  readonly runs: SyncRuns;
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
    const { store, runs, logger } = this.#options;
    const object = store.get(key);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      runs.cancel(key);
      return {};
    }
    if (runs.isRunning(key)) return {};
    const parsed = parseReplication(object);
    if (!parsed.ok) {
      logger.error('Replication does not fit the schema of this version', { key, problem: parsed.problem });
      return {};
    }
    return this.#decide(key, object, parsed.value, signal);
  }

  async #decide(
    key: string,
    object: KubeObject,
    replication: Replication,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { remotes, runs } = this.#options;
    if (replication.spec.paused) {
      await this.#say(
        object,
        replication,
        { phase: 'Paused', reason: 'Paused', message: 'spec.paused is true.' },
        signal,
      );
      return {};
    }
    let route: Route;
    try {
      route = routeOf(replication);
      if (!this.#options.clusters.has(route.remoteKey)) {
        throw new DrError('RemoteClusterNotFound', `there is no RemoteCluster ${route.remoteKey}`);
      }
      const remote = remotes.require(route.remoteKey);
      checkAdmission(route.remoteKey, remote.spec, replication);
      if (requestOf(object) === undefined) {
        await this.#idle(object, replication, signal);
        return {};
      }
      // The mirror may not have seen yet that the last run took its request off.
      const fresh = await this.#options.source.client.get(refOf(replications, object), { signal });
      const request = requestOf(fresh);
      if (request !== undefined) runs.start(key, { object: fresh, replication, route, remote, request });
      return {};
    } catch (err) {
      signal.throwIfAborted();
      return this.#refused(object, replication, kubeToDrError(err), signal);
    }
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
    await this.#say(
      object,
      replication,
      { phase: waiting ? 'Pending' : 'Failed', reason: err.code, message },
      signal,
    );
    return waiting ? { requeueAfterMs: WAIT_MS } : {};
  }

  /** Nothing to do: a Replication that never ran, or whose obstacle is gone, says that it waits to be asked. */
  async #idle(object: KubeObject, replication: Replication, signal: AbortSignal): Promise<void> {
    const { phase } = replication.status ?? {};
    const seen = replication.status?.observedGeneration === replication.metadata.generation;
    if (seen && (phase === 'Completed' || phase === 'Failed')) return;
    const message = `Set the annotation ${annotation.syncNow} to start a sync.`;
    const next = phase === 'Completed' || phase === 'Failed' ? phase : 'Pending';
    if (next !== 'Pending') {
      await this.#write(
        object,
        { ...replication.status, observedGeneration: replication.metadata.generation },
        signal,
      );
      return;
    }
    await this.#say(object, replication, { phase: 'Pending', reason: 'WaitingForRequest', message }, signal);
  }

  async #say(
    object: KubeObject,
    replication: Replication,
    state: { phase: 'Pending' | 'Failed' | 'Paused'; reason: string; message: string },
    signal: AbortSignal,
  ): Promise<void> {
    const progress = new ReplicationProgress(replication);
    progress.set({ phase: state.phase });
    progress.condition({ type: 'Ready', status: 'False', reason: state.reason, message: state.message });
    const { volumesSummary, volumes, ...status } = progress.snapshot();
    const some = volumes !== undefined && volumes.length > 0 ? { volumes, volumesSummary } : {};
    await this.#write(object, { ...status, ...some }, signal);
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

/** What is asked for; an empty value asks for nothing. */
function requestOf(object: KubeObject): string | undefined {
  const value = object.metadata.annotations?.[annotation.syncNow];
  return value === '' ? undefined : value;
}

/** Takes the request that was answered off the Replication, unless another one has come in the meantime. */
export async function clearRequest(source: Cluster, object: KubeObject, request: string): Promise<void> {
  const pointer = `/metadata/annotations/${annotation.syncNow.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const patch = [
    { op: 'test', path: pointer, value: request },
    { op: 'remove', path: pointer },
  ];
  await source.client.patch(refOf(replications, object), patch, 'json').catch((err: unknown) => {
    const { code } = kubeToDrError(err);
    // 422: the test failed. 404: the Replication is gone.
    if (code === 'RemoteUnreachable' || code === 'RemoteUnauthorized') throw err;
  });
}
