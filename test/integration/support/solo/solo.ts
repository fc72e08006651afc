import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { KubeClient, type KubeObject, parseKubeconfig, type Resource, wellKnown } from '@dr-syncer/kube';
import { parse, parseAllDocuments } from 'yaml';

import { type ApiServer, startApiServer } from '../../../cluster/index.js';
import { playNode } from './node.js';
import { playVolumes, type VolumeNode } from './volumes.js';
import { startExecKubelet } from './exec-kubelet.js';
import { freePort, manifest, type Program, repository, startProgram } from './programs.js';

const NAMESPACE = 'dr-syncer-system';
const NODE = 'n1';

export const remoteClusters: Resource = {
  ...{ group: 'dr-syncer.io', version: 'v1alpha1', plural: 'remoteclusters', kind: 'RemoteCluster' },
  namespaced: true,
};

export interface SoloOptions {
  /** Added to the controller's environment. */
  readonly controller?: Readonly<Record<string, string>>;
  /** Added to the agent's. */
  readonly agent?: Readonly<Record<string, string>>;
  /** Account and roles of the controller; absent: those of manifests/source. */
  readonly rbac?: readonly KubeObject[];
}

/**
 * One API server that is source and remote at once, with the real controller and one real agent as processes of this
 * machine, and nothing else but what stands for kubelet and its like. Needs root, as the agent's mover does.
 */
export interface Solo {
  readonly api: ApiServer;
  readonly client: KubeClient;
  readonly controller: Program;
  readonly agentPort: number;
  readonly node: VolumeNode;
  /** The agent's containers. */
  readonly agent: Readonly<Record<'mover' | 'ssh', Program>>;
  /** Starts a container of the agent again, as kubelet does when one has ended. */
  restartAgent(role: 'mover' | 'ssh'): Promise<void>;
  /** Ends the controller and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSolo(options: SoloOptions = {}): Promise<Solo> {
  const dir = await mkdtemp(join(tmpdir(), 'dr-syncer-solo-'));
  // Transfers run as other users, and have files below it.
  await chmod(dir, 0o711);
  const stops: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const each of stops.reverse()) await each();
  };
  try {
    const api = await startApiServer({ name: 'solo' });
    stops.push(() => api.stop());
    const client = new KubeClient(parseKubeconfig(api.kubeconfig));
    stops.push(() => client.close());
    const kubelet = await startExecKubelet(dir);
    stops.push(() => kubelet.stop());
    await prepare(client, dir, kubelet.port);
    const agentPort = await freePort();
    const startAgent = await agentStarter(dir, agentPort, options);
    const agent = { mover: startAgent('mover'), ssh: startAgent('ssh') };
    const playing = new AbortController();
    const node = { client, name: NODE, agentPort, authorizedKeysFile: join(dir, 'authorized_keys') };
    const volumes = {
      ...{ client, name: NODE },
      ...{ kubeletDir: join(dir, 'kubelet'), volumesDir: join(dir, 'volumes') },
    };
    const played = Promise.all([playNode(node, playing.signal), playVolumes(volumes, playing.signal)]);
    stops.push(async () => {
      playing.abort();
      await played;
    });
    for (const role of ['mover', 'ssh'] as const) stops.push(() => agent[role].stop());
    const serviceAccount = await accountFiles(
      client,
      api,
      dir,
      options.rbac ?? (await objectsOf('source/rbac.yaml')),
    );
    const { hostname, port } = new URL(api.url);
    const controllerEnv = {
      ...{ KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
      ...{ LEADER_ELECTION: 'false', METRICS_PORT: '0', HEALTH_PORT: '0' },
      ...{ SOURCE_AGENT_PORT: String(agentPort), RELAY_ADDRESS: '127.0.0.1', RELAY_PORTS: '0' },
      ...options.controller,
    };
    let runs = 0;
    const start = () =>
      startProgram({
        name: 'controller',
        env: controllerEnv,
        logFile: join(dir, `controller-${String((runs += 1))}.log`),
        serviceAccount,
      });
    let controller = start();
    stops.push(() => controller.stop());
    return {
      ...{ api, client, agentPort, agent, stop, node: volumes },
      restartAgent: async (role) => {
        await agent[role].stop();
        agent[role] = startAgent(role);
      },
      get controller() {
        return controller;
      },
      restart: async () => {
        await controller.stop();
        controller = start();
      },
    };
  } catch (err) {
    await stop();
    throw err;
  }
}

async function prepare(client: KubeClient, dir: string, kubeletPort: number): Promise<void> {
  for (const file of ['remoteclusters.yaml', 'replications.yaml']) {
    const crd = parse(await manifest(join('crds', file))) as KubeObject;
    await client.create(wellKnown.customResourceDefinitions, crd);
  }
  await client.create(wellKnown.namespaces, object('Namespace', { name: NAMESPACE }));
  const node = object('Node', { name: NODE });
  await client.create(wellKnown.nodes, node);
  const addresses = [{ type: 'InternalIP', address: '127.0.0.1' }];
  const ref = { resource: wellKnown.nodes, name: NODE };
  const daemonEndpoints = { kubeletEndpoint: { Port: kubeletPort } };
  await client.patch(ref, { status: { addresses, daemonEndpoints } }, 'merge', { subresource: 'status' });
  await hostKeys(client, dir);
}

/** The controller's account with its permissions, as kubelet would bring it into the pod. */
async function accountFiles(
  client: KubeClient,
  api: ApiServer,
  dir: string,
  rbac: readonly KubeObject[],
): Promise<string> {
  await createAll(client, rbac);
  const files = join(dir, 'serviceaccount');
  await mkdir(files);
  await writeFile(join(files, 'ca.crt'), api.ca);
  await writeFile(join(files, 'token'), await tokenOf(client, 'dr-syncer-controller'));
  return files;
}

/** Of a file below manifests/. */
export async function objectsOf(file: string): Promise<KubeObject[]> {
  return parseAllDocuments(await manifest(file)).map((document) => document.toJS() as KubeObject);
}

export async function createAll(client: KubeClient, objects: readonly KubeObject[]): Promise<void> {
  for (const one of objects) await client.create(typeOf(one), one);
}

async function tokenOf(client: KubeClient, name: string): Promise<string> {
  const request = {
    ...{ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' },
    metadata: { name, namespace: NAMESPACE },
    spec: { expirationSeconds: 86_400 },
  };
  const answer = await client.create<KubeObject & { status: { token: string } }>(
    wellKnown.serviceAccounts,
    request,
    { subresource: 'token' },
  );
  return answer.status.token;
}

/** A kubeconfig of a ServiceAccount in dr-syncer-system, as it goes into the Secret of a RemoteCluster. */
export async function accountKubeconfig({ api, client }: Solo, name: string): Promise<string> {
  const server = { server: api.url, 'certificate-authority-data': Buffer.from(api.ca).toString('base64') };
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'x' },
    clusters: [{ name: 'x', cluster: server }],
    users: [{ name: 'x', user: { token: await tokenOf(client, name) } }],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
  });
}

function typeOf({ apiVersion, kind, metadata }: KubeObject): Resource {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return {
    group,
    version,
    kind,
    plural: `${kind.toLowerCase()}s`,
    namespaced: metadata.namespace !== undefined,
  };
}

/** Made here, because the agent wants them before there is a controller. */
async function hostKeys(client: KubeClient, dir: string): Promise<void> {
  const data: Record<string, string> = {};
  for (const type of ['ed25519', 'rsa']) {
    const file = join(dir, `ssh_host_${type}_key`);
    execFileSync('ssh-keygen', ['-q', '-t', type, '-b', '3072', '-N', '', '-C', 'agent', '-f', file]);
    data[`ssh_host_${type}_key`] = await readFile(file, 'base64');
    data[`ssh_host_${type}_key.pub`] = await readFile(`${file}.pub`, 'base64');
  }
  const metadata = { name: 'dr-syncer-agent-host-keys', namespace: NAMESPACE };
  await client.create(wellKnown.secrets, { ...object('Secret', metadata), type: 'Opaque', data });
}

type StartAgent = (role: 'mover' | 'ssh') => Program;

async function agentStarter(dir: string, port: number, options: SoloOptions): Promise<StartAgent> {
  const [run, mover, kubelet] = ['run', 'mover', 'kubelet'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  for (const each of [run, mover, join(kubelet, 'pods')]) await mkdir(each, { recursive: true });
  await writeFile(join(dir, 'authorized_keys'), '');
  const [helper, survey] = ['dr-syncer-attributes', 'dr-syncer-survey'].map((name) => join(dir, name)) as [
    string,
    string,
  ];
  for (const each of [helper, survey])
    execFileSync(join(repository(), 'packages/agent/native/build.sh'), [each]);
  await mkdir(join(dir, 'surveys'));
  const env = {
    ...{ NODE_NAME: NODE, SSH_PORT: String(port), METRICS_PORT: '0', HEALTH_PORT: '0' },
    ...{ HOST_KEY_DIR: dir, AUTHORIZED_KEYS_FILE: join(dir, 'authorized_keys'), SOCKET_DIR: run },
    ...{ PRIVATE_DIR: mover, KUBELET_DIR: kubelet, ENABLE_AUDIT_LOG: 'false' },
    ...{ ATTRIBUTES_HELPER: helper, SURVEY_HELPER: survey, SURVEY_DIR: join(dir, 'surveys') },
    ...options.agent,
  };
  return (role) =>
    startProgram({ name: 'agent', args: [role], env, logFile: join(dir, `agent-${role}.log`) });
}

function object(kind: string, metadata: KubeObject['metadata']): KubeObject {
  return { apiVersion: 'v1', kind, metadata };
}
