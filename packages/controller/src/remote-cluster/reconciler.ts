import { DrError, type RemoteCluster } from '@dr-syncer/api';
import {
  type EventRecorder,
  isConflict,
  type KubeObject,
  kubeToDrError,
  type ReadStore,
  type ReconcileResult,
  writeStatus,
} from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';
import { fingerprintSha256 } from '@dr-syncer/ssh';

import type { AgentEnvironment } from '../clusters/agent-objects.js';
import { Agents } from '../clusters/agents.js';
import { Cluster } from '../clusters/cluster.js';
import type { Relay } from '../clusters/reach/relay.js';
import type { RemoteClusters, RemoteHandle } from '../clusters/remote-clusters.js';
import { ensureClientKey } from '../clusters/ssh-keys.js';
import { parseRemoteCluster, remoteClusters } from '../custom-resources.js';
import { readKubeconfigSecret } from './kubeconfig-secret.js';
import { RemoteClusterReport, type Step } from './status.js';

/** How often a cluster that is fine is looked at again, and one whose agents are still coming up. */
const HEALTHY_MS = 60_000;
const COMING_UP_MS = 2_000;

export interface RemoteClusterReconcilerOptions {
  readonly source: Cluster;
  readonly store: ReadStore<KubeObject>;
  readonly registry: RemoteClusters;
  readonly events: EventRecorder;
  readonly logger: Logger;
  /** When a RemoteCluster gives no image. */
  readonly agentImage: string;
  readonly agentEnvironment: AgentEnvironment;
  /** UID of kube-system in the source cluster: tells controllers of several clusters apart in a shared remote. */
  readonly sourceId: string;
  readonly relay: Relay;
  /** Called when a cluster has become ready or is so no more. */
  readonly onChange: (key: string) => void;
}

/** Brings a remote cluster to the point where Replications can use it: a chain of steps, each of them idempotent. */
export class RemoteClusterReconciler {
  readonly #options: RemoteClusterReconcilerOptions;

  constructor(options: RemoteClusterReconcilerOptions) {
    this.#options = options;
  }

  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { store, registry, logger, source } = this.#options;
    const object = store.get(key);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      registry.delete(key);
      return {};
    }
    const parsed = parseRemoteCluster(object);
    if (!parsed.ok) {
      logger.error('RemoteCluster does not fit the schema of this version', { key, problem: parsed.problem });
      return {};
    }
    const remote = parsed.value;
    const report = new RemoteClusterReport(remote, new Date());
    const wasReady = report.isReady;
    const result = await this.#bringUp(key, remote, report, signal);
    if (report.isReady) registry.ready(key);
    else
      registry.notReady(key, report.status.conditions?.find(({ type }) => type === 'Ready')?.message ?? '');
    this.#announce(object, report, wasReady);
    try {
      await writeStatus(source.client, remoteClusters, object, report.status, { signal });
    } catch (err) {
      // Somebody wrote in between; the mirror brings the new object, and with it this key, by itself.
      if (!isConflict(err)) throw err;
    }
    this.#options.onChange(key);
    return result;
  }

  async #bringUp(
    key: string,
    remote: RemoteCluster,
    report: RemoteClusterReport,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    if (remote.spec.paused) {
      report.paused();
      return {};
    }
    let step: Step = 'KubeconfigValid';
    const known = this.#options.registry.get(key);
    let cluster: Cluster | undefined;
    try {
      const { namespace } = remote.metadata;
      const kubeconfig = await readKubeconfigSecret(
        this.#options.source.client,
        { namespace, name: remote.spec.kubeconfigSecret },
        signal,
      );
      report.ok(step, 'Accepted', `The kubeconfig names ${kubeconfig.access.server}.`);

      step = 'Reachable';
      cluster =
        known?.fingerprint.startsWith(kubeconfig.fingerprint) === true
          ? known.cluster
          : new Cluster(kubeconfig.access);
      const version = await cluster.client.version({ signal });
      report.set({ serverVersion: version.gitVersion });
      report.ok(step, 'Connected', `The API server answers, version ${version.gitVersion}.`);

      step = 'KeysReady';
      const agents = await this.#keys(remote, cluster, kubeconfig.fingerprint, known, report, signal);

      step = 'AgentReady';
      this.#options.registry.set(key, agents);
      return await this.#agents(agents, report, signal);
    } catch (err) {
      signal.throwIfAborted();
      const problem = kubeToDrError(err);
      this.#options.logger.warn('remote cluster is not usable', { key, step, err: problem });
      report.failed(step, problem);
      if (cluster !== undefined && cluster !== this.#options.registry.get(key)?.cluster)
        await cluster.close();
      return { requeueAfterMs: retryAfter(problem) };
    }
  }

  async #keys(
    remote: RemoteCluster,
    cluster: Cluster,
    kubeconfigFingerprint: string,
    known: RemoteHandle | undefined,
    report: RemoteClusterReport,
    signal: AbortSignal,
  ): Promise<RemoteHandle> {
    const { source, agentImage, agentEnvironment: environment, sourceId, relay } = this.#options;
    const { namespace, name } = remote.metadata;
    const secret = remote.spec.sshKeySecret ?? `${name}-ssh-key`;
    const { key, createdAt } = await ensureClientKey(
      source.client,
      { namespace, name: secret },
      `dr-syncer ${namespace}/${name}`,
      signal,
    );
    report.set({ sshKey: { fingerprint: key.fingerprint, ...(createdAt && { createdAt }) } });
    report.ok('KeysReady', 'Present', `Secret ${secret} holds the key ${key.fingerprint}.`);
    const { agentDeployment, connectivity } = remote.spec;
    const settings = { ...agentDeployment, image: agentDeployment.image ?? agentImage, environment };
    const fingerprint = [
      kubeconfigFingerprint,
      key.fingerprint,
      JSON.stringify([settings, connectivity]),
    ].join('/');
    if (known?.fingerprint === fingerprint) return { ...known, spec: remote.spec };
    const owner = `${sourceId}/${namespace}/${name}`;
    const agents = new Agents({ client: cluster.client, key, owner, settings, connectivity, relay });
    return { cluster, agents, spec: remote.spec, fingerprint };
  }

  async #agents(
    { agents }: RemoteHandle,
    report: RemoteClusterReport,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    await agents.install(signal);
    report.set({ hostKeyFingerprints: agents.hostKeys.map((line) => fingerprintSha256(line)) });
    const { desired, ready, notReady } = await agents.status(signal);
    report.set({
      agentStatus: {
        ...{ desired, ready, summary: `${ready}/${desired}` },
        ...(notReady.length > 0 && { notReady: [...notReady] }),
      },
    });
    if (desired === 0 || ready === 0) {
      report.failed('AgentReady', new DrError('AgentNotReady', `${ready} of ${desired} agents are ready`));
      return { requeueAfterMs: COMING_UP_MS };
    }
    await agents.greet(await agents.readyNodes(signal), signal);
    report.set({ connectivity: agents.reach() });
    const all = ready === desired;
    report.ok(
      'AgentReady',
      all ? 'AllReady' : 'SomeReady',
      `${ready} of ${desired} agents are ready and answer.`,
    );
    report.ready(`${ready} of ${desired} agents are ready.`);
    return { requeueAfterMs: all ? HEALTHY_MS : COMING_UP_MS };
  }

  #announce(object: KubeObject, report: RemoteClusterReport, wasReady: boolean): void {
    const ready = report.status.conditions?.find(({ type }) => type === 'Ready');
    if (ready === undefined || (report.isReady && wasReady)) return;
    // Agents that are still starting are no news, unless they were there before.
    if (ready.reason === 'AgentNotReady' && !wasReady) return;
    this.#options.events.record({
      regarding: object,
      type: report.isReady ? 'Normal' : 'Warning',
      reason: ready.reason,
      action: 'Connect',
      message: ready.message,
    });
  }
}

function retryAfter(err: DrError): number {
  return err.kind === 'retry' ? 5_000 : 30_000;
}
