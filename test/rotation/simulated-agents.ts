import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { runSshContainer } from '@dr-syncer/agent';
import { agentNames, annotation, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, refOf, wellKnown } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';
import { Registry } from 'prom-client';

interface Secret extends KubeObject {
  data?: Record<string, string>;
}

interface Agent {
  readonly node: string;
  readonly dir: string;
  port: number;
  /** What kubelet has brought: the value of the pod's annotation. */
  brought: string;
  version: number;
  stop: () => Promise<void>;
  running: boolean;
}

/** From the patch of a pod to the change of its files, ms: as a real kubelet was seen to take, and a little less. */
const KUBELET_MS = { least: 50, most: 300 };
const LOOK_MS = 40;

const quiet: Logger = {
  ...{ debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  child: () => quiet,
};

/**
 * Real SSH servers of agents in this process, with pods for them in a real API server and a kubelet that brings them
 * their Secrets: when the pod has changed, and not before.
 */
export class SimulatedAgents {
  readonly #client: KubeClient;
  readonly #agents: Agent[] = [];
  readonly #stop = new AbortController();
  readonly #bringing = new Set<Promise<void>>();
  #playing: Promise<void> = Promise.resolve();
  #root = '';

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** For `spec.connectivity.overrides`. */
  get addresses(): Record<string, string> {
    return Object.fromEntries(this.#agents.map(({ node, port }) => [node, `127.0.0.1:${port}`]));
  }

  /** Pods first, then their servers once `install` has made the Secrets. */
  async start(count: number, install: () => Promise<unknown>): Promise<void> {
    this.#root = await mkdtemp(join(tmpdir(), 'dr-syncer-agents-'));
    await install();
    for (let i = 0; i < count; i += 1) {
      const node = `n${String(i).padStart(2, '0')}`;
      const dir = join(this.#root, node);
      await mkdir(dir);
      this.#agents.push({
        ...{ node, dir, port: 0, brought: '', version: 0, running: false },
        stop: () => Promise.resolve(),
      });
    }
    await Promise.all(
      this.#agents.map(async (agent) => {
        await this.#createPod(agent.node);
        await this.bring(agent);
        await this.run(agent);
      }),
    );
    this.#playing = this.#play();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#playing;
    await Promise.allSettled(this.#bringing);
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    await rm(this.#root, { recursive: true, force: true });
  }

  agent(index: number): Agent {
    const agent = this.#agents[index];
    if (agent === undefined) throw new Error(`there is no agent ${index}`);
    return agent;
  }

  /** The server, on the port that it had before. */
  async run(agent: Agent): Promise<void> {
    const abort = new AbortController();
    const file = (name: string) => join(agent.dir, name);
    let ended: Promise<void> = Promise.resolve();
    agent.port = await new Promise<number>((resolve, reject) => {
      ended = runSshContainer(
        {
          ...{ host: '127.0.0.1', port: agent.port, nodeName: agent.node, version: '1', settleMs: 20 },
          hostKeyFiles: [file('ssh_host_ed25519_key'), file('ssh_host_rsa_key')],
          authorizedKeysFile: file('authorized_keys'),
          fenceFile: file('fence'),
          moverSocket: file('mover.sock'),
        },
        {
          ...{ signal: abort.signal, logger: quiet, registry: new Registry() },
          onListening: ({ port }) => resolve(port),
        },
      );
      ended.catch(reject);
    });
    agent.running = true;
    agent.stop = async () => {
      agent.running = false;
      abort.abort();
      await ended;
    };
  }

  /** What kubelet does when it looks at the pod: the Secrets as they are now, swapped in at once. */
  async bring(agent: Agent): Promise<void> {
    const secrets = await Promise.all(
      [agentNames.authorizedKeysSecret, agentNames.hostKeysSecret].map((name) =>
        this.#client.get<Secret>({ resource: wellKnown.secrets, namespace: SYSTEM_NAMESPACE, name }),
      ),
    );
    const data = Object.assign({}, ...secrets.map((secret) => secret.data)) as Record<string, string>;
    agent.version += 1;
    const folder = `..${agent.version}`;
    await mkdir(join(agent.dir, folder));
    for (const name of ['authorized_keys', 'ssh_host_ed25519_key', 'ssh_host_rsa_key']) {
      await writeFile(join(agent.dir, folder, name), Buffer.from(data[name] ?? '', 'base64'), {
        mode: 0o600,
      });
      await symlink(join('..data', name), join(agent.dir, name)).catch(() => undefined);
    }
    await symlink(folder, join(agent.dir, '..tmp'));
    await rename(join(agent.dir, '..tmp'), join(agent.dir, '..data'));
  }

  async #play(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      const { items } = await this.#client.list(wellKnown.pods, { namespace: SYSTEM_NAMESPACE });
      for (const pod of items) {
        const agent = this.#agents.find(
          ({ node }) => `${agentNames.daemonSet}-${node}` === pod.metadata.name,
        );
        const asked = pod.metadata.annotations?.[annotation.keysRevision] ?? '';
        if (agent === undefined || !agent.running || agent.brought === asked) continue;
        agent.brought = asked;
        const ms = KUBELET_MS.least + Math.random() * (KUBELET_MS.most - KUBELET_MS.least);
        const bringing = sleep(ms).then(() => this.bring(agent));
        this.#bringing.add(bringing);
        bringing.catch(() => (agent.brought = '')).finally(() => this.#bringing.delete(bringing));
      }
    }
  }

  async #createPod(node: string): Promise<void> {
    const metadata = {
      ...{ name: `${agentNames.daemonSet}-${node}`, namespace: SYSTEM_NAMESPACE },
      labels: { app: agentNames.daemonSet },
    };
    const pod = {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata },
      spec: { nodeName: node, containers: [{ name: 'ssh', image: 'agent' }] },
    };
    await this.#client.create(wellKnown.pods, pod);
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    await this.#client.patch(refOf(wellKnown.pods, pod), { status }, 'merge', { subresource: 'status' });
  }
}
