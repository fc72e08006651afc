import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiClient } from '../api-client.js';
import { auditPolicy, toolingUser } from '../audit-policy.js';
import { makeKubeconfig } from '../kubeconfig.js';
import { Pki } from '../pki.js';
import { writeAtomically, writeIfChanged } from '../process/files.js';
import { waitFor } from '../process/wait.js';
import { ensureNodeNetwork, ensurePodRoutes } from './network.js';
import { writeNodeConfig } from './node-config.js';
import { LocalNode } from './node.js';
import { apiServerUrl, type ClusterPlan, type NodePlan } from './plan.js';
import { controlPlanePrograms, nodePrograms, programArgv, type ProgramName } from './programs.js';
import { ensureStorageClass, recycleVolumes } from './volumes.js';

/** One cluster on this machine. Every step of `up` looks at what is there and does what is missing. */
export class LocalCluster {
  readonly plan: ClusterPlan;
  readonly nodes: readonly [LocalNode, ...LocalNode[]];
  readonly #bin: string;
  readonly #pki: Pki;

  /** @param bin directory with the Kubernetes programs, see ensureKubeBinaries */
  constructor(plan: ClusterPlan, bin: string) {
    this.plan = plan;
    this.#bin = bin;
    const [first, ...others] = plan.nodes;
    this.nodes = [new LocalNode(first), ...others.map((node) => new LocalNode(node))];
    this.#pki = new Pki(join(plan.directory, 'pki'));
  }

  get kubeconfigPath(): string {
    return join(this.plan.directory, 'admin.kubeconfig');
  }

  get auditLogPath(): string {
    return join(this.plan.directory, 'audit.log');
  }

  /** Brings the cluster up, from nothing or from whatever an interrupted run left. */
  async up(): Promise<void> {
    await mkdir(this.plan.directory, { recursive: true });
    await Promise.all([this.#ensureCredentials(), ...this.nodes.map((node) => node.ensureInit())]);
    for (const node of this.nodes) {
      await ensureNodeNetwork(node);
      await writeNodeConfig(this.plan, node.plan, this.#pki.directory);
    }
    for (const node of this.nodes) await ensurePodRoutes(this.plan, node);
    await writeIfChanged(join(this.plan.directory, 'audit-policy.yaml'), auditPolicy());

    for (const node of this.nodes) this.#start(node, 'containerd');
    for (const program of controlPlanePrograms.slice(0, 2)) this.#start(this.nodes[0], program);
    await this.waitForApi();
    for (const program of controlPlanePrograms.slice(2)) this.#start(this.nodes[0], program);
    const kubeletsSince = new Map<string, number>();
    for (const node of this.nodes) {
      if (this.#start(node, 'kubelet')) kubeletsSince.set(node.plan.name, Date.now());
      for (const program of nodePrograms) this.#start(node, program);
    }
    await this.#waitForNodes(kubeletsSince);
  }

  /** Ends every process of the cluster. Its files stay. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end()));
  }

  /** Where a program runs: those of the control plane on the first node, the others on the one named, else the first. */
  nodeOf(program: ProgramName, nodeName?: string): LocalNode {
    if ((controlPlanePrograms as readonly string[]).includes(program)) return this.nodes[0];
    const node = this.nodes.find(({ plan }) => nodeName === undefined || plan.name === nodeName);
    if (node === undefined) throw new Error(`${this.plan.name} has no node ${String(nodeName)}`);
    return node;
  }

  startProgram(program: ProgramName, nodeName?: string): void {
    this.#start(this.nodeOf(program, nodeName), program);
  }

  waitForApi(): Promise<void> {
    return this.withApi((api) =>
      waitFor(`API server of ${this.plan.name}, see ${this.nodes[0].logPath('kube-apiserver')}`, () =>
        api.get<string>('/readyz'),
      ).then(() => undefined),
    );
  }

  /** Fills the pool of volumes up, see recycleVolumes. */
  recycleVolumes(): Promise<void> {
    return this.withApi((api) => recycleVolumes(api, this.plan));
  }

  async kubeconfig(): Promise<string> {
    return readFile(this.kubeconfigPath, 'utf8');
  }

  #start(node: LocalNode, program: ProgramName): boolean {
    return node.ensureProgram(programArgv(this.plan, node.plan, this.#bin)[program]);
  }

  async #waitForNodes(kubeletsSince: ReadonlyMap<string, number>): Promise<void> {
    await this.withApi(async (api) => {
      await ensureStorageClass(api, this.plan);
      await recycleVolumes(api, this.plan);
      for (const node of this.nodes) {
        const what = `node ${node.plan.name}, see ${node.logPath('kubelet')}`;
        await waitFor(what, () => isReady(api, node.plan, kubeletsSince.get(node.plan.name) ?? 0));
      }
      // Pods are refused until the controller manager has made it.
      await waitFor('the default ServiceAccount', () =>
        api.get('/api/v1/namespaces/default/serviceaccounts/default'),
      );
    });
  }

  /** Lends a client with all rights that the audit log does not show. */
  async withApi<T>(work: (api: ApiClient) => Promise<T>): Promise<T> {
    const api = new ApiClient(await readFile(join(this.plan.directory, 'tooling.kubeconfig'), 'utf8'));
    try {
      return await work(api);
    } finally {
      api.close();
    }
  }

  async #ensureCredentials(): Promise<void> {
    const { plan } = this;
    await this.#pki.ensureAuthority(plan.name);
    const host = plan.nodes[0].address;
    const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost'];
    const addresses = [plan.apiServiceAddress, host, '127.0.0.1'];
    await Promise.all([
      this.#pki.ensure({
        name: 'apiserver',
        commonName: 'kube-apiserver',
        names: [...names.map((name) => `DNS:${name}`), ...addresses.map((address) => `IP:${address}`)],
      }),
      this.#pki.ensure({ name: 'admin', commonName: 'admin', organization: 'system:masters' }),
      // Not `admin`: what the tooling does is of no interest in the audit log.
      this.#pki.ensure({ name: 'tooling', commonName: toolingUser, organization: 'system:masters' }),
      this.#pki.ensure({
        name: 'kubelet-client',
        commonName: 'kube-apiserver',
        organization: 'system:masters',
      }),
      ...['kube-controller-manager', 'kube-scheduler', 'kube-proxy'].map((name) =>
        this.#pki.ensure({ name, commonName: `system:${name}` }),
      ),
      ...plan.nodes.map((node) =>
        this.#pki.ensure({
          name: `kubelet-${node.name}`,
          commonName: `system:node:${node.name}`,
          organization: 'system:nodes',
          names: [`DNS:${node.name}`, `IP:${node.address}`],
        }),
      ),
    ]);
    await this.#writeKubeconfig('admin', this.kubeconfigPath);
    for (const user of ['kube-controller-manager', 'kube-scheduler', 'tooling']) {
      await this.#writeKubeconfig(user, join(plan.directory, `${user}.kubeconfig`));
    }
    for (const node of plan.nodes) {
      await mkdir(node.directory, { recursive: true });
      await this.#writeKubeconfig('kube-proxy', join(node.directory, 'kube-proxy.kubeconfig'));
      await this.#writeKubeconfig(`kubelet-${node.name}`, join(node.directory, 'kubelet.kubeconfig'));
    }
  }

  async #writeKubeconfig(user: string, path: string): Promise<void> {
    if (existsSync(path)) return;
    await writeAtomically(
      path,
      await makeKubeconfig(this.#pki, this.plan.name, apiServerUrl(this.plan), user),
    );
  }
}

/** @param since ms since the epoch; what the node said before, in a former life, does not count */
async function isReady(api: ApiClient, node: NodePlan, since: number): Promise<true | undefined> {
  const { status } = await api.get<NodeObject>(`/api/v1/nodes/${node.name}`);
  const ready = status.conditions.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True') return undefined;
  // The API keeps whole seconds.
  return Date.parse(ready.lastHeartbeatTime) + 1000 > since ? true : undefined;
}

interface NodeObject {
  readonly status: { readonly conditions: { type: string; status: string; lastHeartbeatTime: string }[] };
}
