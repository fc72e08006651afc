import { annotation, DrError, type RemoteCluster, REMOTE_FINALIZER } from '@dr-syncer/api';
import {
  type EventRecorder,
  isConflict,
  type KubeObject,
  kubeToDrError,
  type ReadStore,
  type ReconcileResult,
  removeFinalizer,
  writeStatus,
} from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { Cluster } from '../clusters/cluster.js';
import type { RemoteClusters } from '../clusters/remote-clusters.js';
import { parseRemoteCluster, remoteClusters } from '../custom-resources.js';
import type { BringUp } from './bring-up.js';
import type { SecretWatches } from './secret-watches.js';
import { RemoteClusterReport } from './status.js';
import type { Removed } from './teardown.js';

const REMOVAL_RETRY_MS = 15_000;

export interface RemoteClusterReconcilerOptions {
  readonly source: Cluster;
  readonly store: ReadStore<KubeObject>;
  readonly registry: RemoteClusters;
  readonly watches: SecretWatches;
  readonly bringUp: BringUp;
  readonly events: EventRecorder;
  readonly logger: Logger;
  /** Called when a cluster has become ready or is so no more. */
  readonly onChange: (key: string) => void;
  /** Called before what is in the remote is removed: what uses the cluster has to end. */
  readonly onRemoval: (key: string) => void;
}

/** The life of a RemoteCluster: brought up again and again while it is there, taken down when it is deleted. */
export class RemoteClusterReconciler {
  readonly #options: RemoteClusterReconcilerOptions;
  /** What `onChange` was told of last: whether it is ready, and by which connection. */
  readonly #told = new Map<string, string>();

  constructor(options: RemoteClusterReconcilerOptions) {
    this.#options = options;
  }

  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const object = this.#options.store.get(key);
    if (object === undefined) {
      this.#forget(key);
      return {};
    }
    const parsed = parseRemoteCluster(object);
    if (!parsed.ok) {
      const { problem } = parsed;
      this.#options.logger.error('RemoteCluster does not fit the schema of this version', { key, problem });
      return {};
    }
    if (object.metadata.deletionTimestamp !== undefined)
      return this.#remove(key, object, parsed.value, signal);
    return this.#keep(key, object, parsed.value, signal);
  }

  async #keep(
    key: string,
    object: KubeObject,
    remote: RemoteCluster,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { registry, watches, bringUp } = this.#options;
    const { namespace } = remote.metadata;
    watches.follow(key, { namespace, name: remote.spec.kubeconfigSecret });
    const report = new RemoteClusterReport(remote, new Date());
    const wasReady = report.isReady;
    const result = await bringUp.run(key, object, report, signal);
    const ready = report.condition('Ready');
    if (report.isReady) registry.ready(key);
    else registry.notReady(key, ready?.message ?? '');
    this.#announce(object, report, wasReady);
    await this.#write(object, report, signal);
    const { allowedNamespaces } = remote.spec;
    const now = JSON.stringify([registry.get(key)?.fingerprint, ready, allowedNamespaces]);
    if (this.#told.get(key) !== now) this.#options.onChange(key);
    this.#told.set(key, now);
    return result;
  }

  async #remove(
    key: string,
    object: KubeObject,
    remote: RemoteCluster,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { registry, onRemoval, onChange, logger } = this.#options;
    if (object.metadata.finalizers?.includes(REMOTE_FINALIZER) !== true) {
      this.#forget(key);
      return {};
    }
    registry.notReady(key, 'it is being deleted');
    onRemoval(key);
    try {
      const how = await this.#takeDown(key, remote, signal);
      await removeFinalizer(this.#options.source.client, remoteClusters, object, REMOTE_FINALIZER, {
        signal,
      });
      this.#event(object, how.ok ? 'Normal' : 'Warning', how.reason, how.message);
      logger.info('RemoteCluster removed', { key, how: how.reason });
    } catch (err) {
      signal.throwIfAborted();
      await this.#stuck(key, object, remote, kubeToDrError(err), signal);
      return { requeueAfterMs: REMOVAL_RETRY_MS };
    }
    this.#forget(key);
    onChange(key);
    return {};
  }

  async #takeDown(
    key: string,
    remote: RemoteCluster,
    signal: AbortSignal,
  ): Promise<{ ok: boolean; reason: string; message: string }> {
    if (remote.metadata.annotations[annotation.abandonRemote] === 'true') {
      const message = `Given up by ${annotation.abandonRemote}: agent and keys stay in the remote if it comes back.`;
      return { ok: false, reason: 'RemoteAbandoned', message };
    }
    if (remote.spec.deletionPolicy === 'Orphan') {
      return {
        ok: true,
        reason: 'RemoteOrphaned',
        message: 'Agent and keys stay in the remote, as asked for.',
      };
    }
    const removed = await this.#options.bringUp.takeDown(key, remote, signal);
    return { ok: true, reason: 'RemoteCleaned', message: describe(removed) };
  }

  async #stuck(
    key: string,
    object: KubeObject,
    remote: RemoteCluster,
    problem: DrError,
    signal: AbortSignal,
  ): Promise<void> {
    this.#options.logger.warn('remote cluster cannot be cleaned', { key, err: problem });
    const message =
      `What is in the remote cannot be removed: ${problem.message}. ${problem.remedy} ` +
      `If the remote is gone for good, set the annotation ${annotation.abandonRemote} to "true".`;
    const report = new RemoteClusterReport(remote, new Date());
    if (report.condition('Ready')?.message !== message) {
      this.#event(object, 'Warning', problem.code, message);
    }
    report.removing(problem.code, message);
    await this.#write(object, report, signal);
  }

  #forget(key: string): void {
    this.#options.registry.delete(key);
    this.#told.delete(key);
    this.#options.watches.forget(key);
    this.#options.bringUp.forget(key);
  }

  async #write(object: KubeObject, report: RemoteClusterReport, signal: AbortSignal): Promise<void> {
    // The finalizer may have been added since; that is a newer version of the same object.
    const { resourceVersion } = report;
    const latest =
      resourceVersion === undefined
        ? object
        : { ...object, metadata: { ...object.metadata, resourceVersion } };
    try {
      await writeStatus(this.#options.source.client, remoteClusters, latest, report.status, { signal });
    } catch (err) {
      // Somebody wrote in between; the mirror brings the new object, and with it this key, by itself.
      if (!isConflict(err)) throw err;
    }
  }

  #announce(object: KubeObject, report: RemoteClusterReport, wasReady: boolean): void {
    const ready = report.condition('Ready');
    if (report.hasBecome('KubeconfigExpiring', 'True')) {
      const expiring = report.condition('KubeconfigExpiring');
      this.#event(object, 'Warning', expiring?.reason ?? '', expiring?.message ?? '');
    }
    if (ready === undefined || (report.isReady && wasReady)) return;
    // Agents that are still starting are no news, unless they were there before.
    if (ready.reason === 'AgentNotReady' && !wasReady) return;
    this.#event(object, report.isReady ? 'Normal' : 'Warning', ready.reason, ready.message);
  }

  #event(regarding: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#options.events.record({ ...{ regarding, type, reason, message }, action: 'Connect' });
  }
}

function describe({ placeholders, agents }: Removed): string {
  const pods = placeholders === 1 ? '1 placeholder pod' : `${placeholders} placeholder pods`;
  return agents
    ? `Removed from the remote: agents, keys, ${pods}.`
    : `Removed from the remote: the key, ${pods}. The agents stay, since others have keys there.`;
}
