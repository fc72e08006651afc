import type { RemoteCluster } from '@dr-syncer/api';
import { type KubeObject, kubeToDrError, type ReconcileResult } from '@dr-syncer/kube';

import { ownerLabel } from '../clusters/agents.js';
import { Cluster } from '../clusters/cluster.js';
import { readKubeconfigSecret } from './access.js';
import { type BringUpOptions, Look, type Memory } from './look.js';
import { ownerOf } from './owner.js';
import { retryMs } from './pace.js';
import type { RemoteClusterReport } from './status.js';
import { removeFromRemote, type Removed } from './teardown.js';

/** Brings a remote cluster to the point where Replications can use it: a chain of steps, each of them idempotent. */
export class BringUp {
  readonly #options: BringUpOptions;
  readonly #memories = new Map<string, Memory>();
  #sourceVersion: string | undefined;

  constructor(options: BringUpOptions) {
    this.#options = options;
  }

  forget(key: string): void {
    this.#memories.delete(key);
  }

  async run(
    key: string,
    object: KubeObject,
    report: RemoteClusterReport,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    if (report.remote.spec.paused) {
      report.paused();
      return {};
    }
    const look = new Look(this.#options, key, object, report, this.#memory(key));
    try {
      return await look.run(() => this.#sourceGitVersion(signal), signal);
    } catch (err) {
      signal.throwIfAborted();
      const problem = kubeToDrError(err);
      this.#options.logger.warn('remote cluster is not usable', { key, step: look.step, err: problem });
      report.failed(look.step, problem);
      await look.abandon();
      return { requeueAfterMs: retryMs(problem) };
    }
  }

  /**
   * Removes what was made in the remote, by the connection that is there or by a new one.
   *
   * @throws DrError, KubeError
   */
  async takeDown(key: string, remote: RemoteCluster, signal: AbortSignal): Promise<Removed> {
    const { registry, sourceId, namespacesOf } = this.#options;
    const known = registry.get(key);
    const owner = ownerOf(sourceId, remote);
    const work = { owner, ownerLabel: ownerLabel(owner), namespaces: namespacesOf(key, remote.spec) };
    const cluster = await this.#forRemoval(remote, known?.cluster, signal);
    try {
      return await removeFromRemote({ ...work, client: cluster.client }, signal);
    } finally {
      if (cluster !== known?.cluster) await cluster.close();
    }
  }

  /** By the kubeconfig as it is now; what is connected already serves when Secret and RemoteCluster went together. */
  async #forRemoval(
    remote: RemoteCluster,
    known: Cluster | undefined,
    signal: AbortSignal,
  ): Promise<Cluster> {
    const at = { namespace: remote.metadata.namespace, name: remote.spec.kubeconfigSecret };
    try {
      return new Cluster((await readKubeconfigSecret(this.#options.source.client, at, signal)).access);
    } catch (err) {
      if (known === undefined) throw err;
      return known;
    }
  }

  async #sourceGitVersion(signal: AbortSignal): Promise<string> {
    this.#sourceVersion ??= (await this.#options.source.client.version({ signal })).gitVersion;
    return this.#sourceVersion;
  }

  #memory(key: string): Memory {
    const known = this.#memories.get(key);
    if (known !== undefined) return known;
    const made: Memory = { waits: 0, keys: {} };
    this.#memories.set(key, made);
    return made;
  }
}
