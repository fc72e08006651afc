import { annotation, DrError, REMOTE_FINALIZER, type RemoteClusterSpec } from '@dr-syncer/api';
import {
  addFinalizer,
  isTrue,
  jittered,
  type KubeObject,
  kubeToDrError,
  type ReconcileResult,
  refOf,
} from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { AgentEnvironment } from '../clusters/agent-objects.js';
import { Agents } from '../clusters/agents.js';
import { Cluster } from '../clusters/cluster.js';
import type { Relay } from '../clusters/reach/relay.js';
import type { RemoteClusters, RemoteHandle } from '../clusters/remote-clusters.js';
import { remoteClusters } from '../custom-resources.js';
import type { Credentials } from '../rotation/rotated-agents.js';
import { CurrentToken, readKubeconfigSecret, type RemoteAccess } from './access.js';
import { agentReport } from './agent-report.js';
import { expiryCondition, type Renewal, renewalDue } from './credentials.js';
import { ownerOf } from './owner.js';
import { comingUpMs, HEALTHY_MS } from './pace.js';
import { checkPermissions, listed, permissionError, type PermissionReport } from './permissions.js';
import { isQuick, WHOLE_MS, type WholeLook } from './quick-look.js';
import { type KeyMemory, RemoteKeys, type RemoteKeysOptions } from './remote-keys.js';
import { renewToken } from './renewal.js';
import type { RemoteClusterReport, Step } from './status.js';
import { versionCondition } from './version-skew.js';

/** Permissions change seldom; those that are missing are looked for at every look. */
const PERMISSIONS_MS = 30 * 60_000;

export interface BringUpOptions extends RemoteKeysOptions {
  readonly registry: RemoteClusters;
  readonly logger: Logger;
  /** When a RemoteCluster gives no image. */
  readonly agentImage: string;
  readonly agentEnvironment: AgentEnvironment;
  /** UID of kube-system in the source cluster: tells controllers of several clusters apart in a shared remote. */
  readonly sourceId: string;
  readonly relay: Relay;
  /** Namespaces of the remote that Replications may and want to write to. */
  readonly namespacesOf: (key: string, spec: RemoteClusterSpec) => readonly string[];
}

/** What is remembered of a RemoteCluster between two looks; losing it costs some requests. */
export interface Memory {
  kubeconfig?: RemoteAccess;
  token?: CurrentToken;
  renewal?: Renewal;
  permissions?: { readonly for: string; readonly at: number; readonly report: PermissionReport };
  /** A wrong host key, and what has to change before agents are spoken to again. */
  mismatch?: { readonly basis: string; readonly error: DrError };
  readonly keys: KeyMemory;
  /** Looks since agents were not all ready. */
  waits: number;
  whole?: WholeLook;
}

/** One look at one RemoteCluster. */
export class Look {
  step: Step = 'KubeconfigValid';
  readonly #options: BringUpOptions;
  readonly #key: string;
  readonly #object: KubeObject;
  readonly #report: RemoteClusterReport;
  readonly #memory: Memory;
  #cluster: Cluster | undefined;
  /** With an agent that is ready. */
  #nodes: readonly string[] = [];

  constructor(
    options: BringUpOptions,
    key: string,
    object: KubeObject,
    report: RemoteClusterReport,
    memory: Memory,
  ) {
    this.#options = options;
    this.#key = key;
    this.#object = object;
    this.#report = report;
    this.#memory = memory;
  }

  async run(sourceVersion: () => Promise<string>, signal: AbortSignal): Promise<ReconcileResult> {
    const { source, registry } = this.#options;
    const { metadata, spec } = this.#report.remote;
    const at = { namespace: metadata.namespace, name: spec.kubeconfigSecret };
    const kubeconfig = await readKubeconfigSecret(source.client, at, signal, this.#memory.kubeconfig);
    this.#memory.kubeconfig = kubeconfig;
    this.#accepted(kubeconfig);

    this.step = 'Reachable';
    const known = registry.get(this.#key);
    const cluster = this.#connect(kubeconfig, known);
    const { gitVersion } = await cluster.client.version({ signal });
    this.#report.set({ serverVersion: gitVersion });
    this.#report.notice(versionCondition(await sourceVersion(), gitVersion));
    this.#report.ok('Reachable', 'Connected', `The API server answers, version ${gitVersion}.`);
    const quick = await this.#quick(kubeconfig, known, signal);
    if (quick !== undefined) return { requeueAfterMs: quick };
    const renewIn = await this.#renew(kubeconfig, cluster, signal);

    this.step = 'PermissionsGranted';
    await this.#permissions(kubeconfig, cluster, signal);

    this.step = 'KeysReady';
    const keys = new RemoteKeys(this.#options, this.#object, this.#report, this.#memory.keys);
    const handle = this.#handle(kubeconfig, cluster, known, await keys.load(signal));

    this.step = 'AgentReady';
    await this.#claim(signal);
    registry.set(this.#key, handle);
    const whose = await handle.agents.install(signal);
    const { againInMs } = await keys.rotate(handle.agents, signal);
    const wait = await this.#agents(handle.agents, whose, signal);
    this.#remember(kubeconfig, handle, Math.min(renewIn, againInMs));
    return { requeueAfterMs: Math.min(wait, renewIn, againInMs) };
  }

  /** @returns milliseconds until the next look; undefined: all steps are to be taken */
  async #quick(
    kubeconfig: RemoteAccess,
    known: RemoteHandle | undefined,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { whole } = this.#memory;
    if (known === undefined || !isQuick(whole, this.#basis(kubeconfig, known), performance.now())) {
      return undefined;
    }
    try {
      if ((await known.agents.greet(whole.nodes, signal)).size > 0) return undefined;
    } catch {
      // What it is, the whole look says.
      signal.throwIfAborted();
      return undefined;
    }
    whole.at = performance.now();
    return Math.min(jittered(HEALTHY_MS, 0.2), whole.until - whole.at);
  }

  /** What was found, if all is well. */
  #remember(kubeconfig: RemoteAccess, handle: RemoteHandle, dueInMs: number): void {
    const { conditions } = this.#report.status;
    const isWell =
      this.#report.isReady && this.#memory.waits === 0 && isTrue(conditions, 'PermissionsGranted');
    delete this.#memory.whole;
    if (!isWell) return;
    const at = performance.now();
    this.#memory.whole = {
      basis: this.#basis(kubeconfig, handle),
      nodes: this.#nodes,
      until: at + Math.min(dueInMs, WHOLE_MS),
      at,
    };
  }

  #basis({ secret }: RemoteAccess, { fingerprint }: RemoteHandle): string {
    const { generation, annotations } = this.#report.remote.metadata;
    return JSON.stringify([generation, annotations, secret.metadata.resourceVersion, fingerprint]);
  }

  /** Before anything is written to the remote: from here on there is something to remove. */
  async #claim(signal: AbortSignal): Promise<void> {
    const { client } = this.#options.source;
    try {
      const written = await addFinalizer(client, remoteClusters, this.#object, REMOTE_FINALIZER, { signal });
      this.#report.resourceVersion = written.metadata.resourceVersion;
    } catch (err) {
      if (!(err instanceof DrError) || err.code !== 'ObjectChanged') throw err;
      // The mirror is behind our own write, or somebody else's: what counts is whether it is there now.
      const fresh = await client.get(refOf(remoteClusters, this.#object), { signal });
      if (fresh.metadata.finalizers?.includes(REMOTE_FINALIZER) !== true) throw err;
    }
  }

  /** Ends a connection that nobody has taken over. */
  async abandon(): Promise<void> {
    if (this.#cluster !== undefined && this.#cluster !== this.#options.registry.get(this.#key)?.cluster) {
      await this.#cluster.close();
    }
  }

  #accepted({ access, validity, renewable }: RemoteAccess): void {
    const report = this.#report;
    report.set({
      kubeconfig: { server: access.server, ...(validity && { expiresAt: validity.until.toISOString() }) },
    });
    if (renewable === undefined) delete this.#memory.renewal;
    else this.#memory.renewal ??= {};
    report.notice(expiryCondition(validity, this.#memory.renewal, report.now));
    report.ok('KubeconfigValid', 'Accepted', `The kubeconfig names ${access.server}.`);
  }

  /** The connection there is, with the token as it is now; a new one when anything else is different. */
  #connect({ access, token, fingerprint }: RemoteAccess, known: RemoteHandle | undefined): Cluster {
    const memory = this.#memory;
    if (known?.fingerprint.startsWith(fingerprint) === true) {
      if (token !== undefined) memory.token?.set(token);
      return known.cluster;
    }
    if (token === undefined) delete memory.token;
    else memory.token = new CurrentToken(token);
    this.#cluster = new Cluster({ ...access, ...(memory.token && { token: memory.token }) });
    return this.#cluster;
  }

  /** @returns milliseconds until it has to be thought of again */
  async #renew(kubeconfig: RemoteAccess, cluster: Cluster, signal: AbortSignal): Promise<number> {
    const { renewable: account, validity, secret } = kubeconfig;
    if (account === undefined || validity === undefined) return Number.POSITIVE_INFINITY;
    const left = renewalDue(validity).getTime() - this.#report.now.getTime();
    if (left > 0) {
      this.#memory.renewal = {};
      return left;
    }
    try {
      const { client } = this.#options.source;
      await renewToken({ source: client, remote: cluster.client, account, secret, validity }, signal);
      this.#memory.renewal = {};
      this.#options.logger.info('token of a remote cluster renewed', { key: this.#key });
    } catch (err) {
      signal.throwIfAborted();
      const problem = kubeToDrError(err);
      this.#options.logger.warn('token of a remote cluster could not be renewed', {
        key: this.#key,
        err: problem,
      });
      this.#memory.renewal = { problem: problem.message };
    }
    this.#report.notice(expiryCondition(validity, this.#memory.renewal, this.#report.now));
    return HEALTHY_MS;
  }

  async #permissions(kubeconfig: RemoteAccess, cluster: Cluster, signal: AbortSignal): Promise<void> {
    const { spec } = this.#report.remote;
    const wanted = {
      mode: spec.connectivity.mode,
      deletionPolicy: spec.deletionPolicy,
      namespaces: this.#options.namespacesOf(this.#key, spec),
      renewal: kubeconfig.renewable !== undefined,
    };
    const basis = JSON.stringify([kubeconfig.secret.metadata.resourceVersion, wanted]);
    const before = this.#memory.permissions;
    const fresh = before !== undefined && performance.now() - before.at < PERMISSIONS_MS;
    const known = fresh && before.for === basis && before.report.missing.length === 0;
    const report = known ? before.report : await checkPermissions(cluster.client, wanted, signal);
    if (!known) this.#memory.permissions = { for: basis, at: performance.now(), report };
    if (report.vital.length > 0) throw permissionError(report);
    const { missing } = report;
    if (missing.length === 0) {
      this.#report.ok('PermissionsGranted', 'Complete', 'The account may do what is needed.');
    } else {
      const message = `The account may not: ${listed(missing)}. What needs it will fail.`;
      this.#report.lacking('PermissionsGranted', 'PermissionMissing', message);
    }
  }

  #handle(
    kubeconfig: RemoteAccess,
    cluster: Cluster,
    known: RemoteHandle | undefined,
    credentials: Credentials,
  ): RemoteHandle {
    const { agentImage, agentEnvironment: environment, sourceId, relay, maker } = this.#options;
    const { spec } = this.#report.remote;
    const { agentDeployment, connectivity } = spec;
    const settings = { ...agentDeployment, image: agentDeployment.image ?? agentImage, environment };
    const fingerprint = `${kubeconfig.fingerprint}/${JSON.stringify([settings, connectivity])}`;
    if (known?.fingerprint === fingerprint) {
      known.agents.trust(credentials);
      return { ...known, spec };
    }
    const owner = ownerOf(sourceId, this.#report.remote);
    const options = { client: cluster.client, credentials, maker, owner, settings, connectivity, relay };
    return { cluster, agents: new Agents(options), spec, fingerprint };
  }

  /** @returns milliseconds until the next look */
  async #agents(agents: Agents, whose: 'ours' | 'of another', signal: AbortSignal): Promise<number> {
    const report = this.#report;
    const { desired, agents: facts } = await agents.status(signal);
    report.set({ agentStatus: agentReport(desired, facts) });
    const nodes = facts.filter(({ ready }) => ready).map(({ node }) => node);
    this.#nodes = nodes;
    if (desired === 0 || nodes.length === 0) {
      report.failed(
        'AgentReady',
        new DrError('AgentNotReady', `${nodes.length} of ${desired} agents are ready`),
      );
      return comingUpMs((this.#memory.waits += 1));
    }
    const problems = await this.#greet(agents, nodes, signal);
    const withProblems = facts.map((fact) => ({ ...fact, problem: problems.get(fact.node) }));
    report.set({ agentStatus: agentReport(desired, withProblems), connectivity: agents.reach() });
    const answering = nodes.length - problems.size;
    const [first] = problems.values();
    if (answering === 0 && first !== undefined) throw first;
    const all = answering === desired;
    const shared = whose === 'ours' ? '' : ' Another RemoteCluster installed them, and its settings apply.';
    const counted = `${answering} of ${desired} agents are ready and answer.`;
    report.ok('AgentReady', all ? 'AllReady' : 'SomeReady', counted + shared);
    report.ready(`${answering} of ${desired} agents are ready.`);
    if (!all) return comingUpMs((this.#memory.waits += 1));
    this.#memory.waits = 0;
    // Spread out: clusters that were connected together are not all looked at in the same second for ever.
    return jittered(HEALTHY_MS, 0.2);
  }

  /**
   * A wrong host key is not tried again: whoever answers there would be given another chance every time. What makes it
   * worth another look is a change of the pinned keys, of the spec, or a person who asks for it.
   */
  async #greet(
    agents: Agents,
    nodes: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, DrError>> {
    const { generation, annotations } = this.#report.remote.metadata;
    const basis = JSON.stringify([agents.hostKeys, generation, annotations[annotation.recheckHostKeys]]);
    const { mismatch } = this.#memory;
    if (mismatch?.basis === basis) throw mismatch.error;
    delete this.#memory.mismatch;
    try {
      return await agents.greet(nodes, signal);
    } catch (err) {
      if (err instanceof DrError && err.code === 'HostKeyMismatch') {
        this.#memory.mismatch = { basis, error: err };
        agents.close();
      }
      throw err;
    }
  }
}
