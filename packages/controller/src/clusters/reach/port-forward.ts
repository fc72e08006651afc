import type { Duplex } from 'node:stream';

import { AGENT_PORT, DrError, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type KubeClient, kubeToDrError } from '@dr-syncer/kube';

import type { ControlRoute, DataRoute, Reach, ReachReport } from './reach.js';
import type { Relay } from './relay.js';

export interface PortForwardReachOptions {
  readonly client: KubeClient;
  /** For messages: the cluster. */
  readonly cluster: string;
  /** Name of the ready agent pod on the node. */
  readonly podOn: (node: string, signal: AbortSignal) => Promise<string | undefined>;
  readonly relay: Relay;
}

/** The kubelet connects from within the pod's own network. */
const LOOPBACK = ['127.0.0.1', '::1'];

/**
 * The agents through their API server and kubelets, where nothing but the API server can be reached. The control
 * channel is opened from here; data comes from the source's agent by the relay of this process.
 */
export class PortForwardReach implements Reach {
  readonly #options: PortForwardReachOptions;

  constructor(options: PortForwardReachOptions) {
    this.#options = options;
  }

  async control<T>(
    node: string,
    attempt: (route: ControlRoute) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const socket = await this.#dial(node, signal);
    try {
      return await attempt({ host: `${node} (port-forward)`, port: AGENT_PORT, socket });
    } catch (err) {
      socket.destroy();
      throw err;
    }
  }

  async data(node: string, from: readonly string[]): Promise<DataRoute> {
    const { relay, cluster } = this.#options;
    const route = await relay.open({
      name: `${cluster}/${node}`,
      from,
      dial: (signal) => this.#dial(node, signal),
    });
    return {
      ...{ host: route.host, port: route.port },
      from: LOOPBACK,
      relayed: true,
      failed: () => false,
      close: () => route.close(),
    };
  }

  retain(): void {
    // Nothing is kept of a node.
  }

  report(): ReachReport {
    return {
      mode: 'PortForward',
      message: 'Nodes are reached through the API server; data passes through the controller.',
    };
  }

  /** @throws DrError AgentNotReady, AgentUnreachable, PermissionMissing */
  async #dial(node: string, signal: AbortSignal): Promise<Duplex> {
    const { client, podOn } = this.#options;
    const pod = await podOn(node, signal);
    if (pod === undefined) throw new DrError('AgentNotReady', `node ${node} has no agent that is ready`);
    try {
      const target = { namespace: SYSTEM_NAMESPACE, pod, port: AGENT_PORT };
      const stream = await client.portForward(target, { signal });
      // Whoever uses it listens as well; between two users nobody does.
      stream.on('error', () => undefined);
      return stream;
    } catch (err) {
      signal.throwIfAborted();
      const problem = kubeToDrError(err);
      if (problem.code === 'PermissionMissing') throw problem;
      throw new DrError('AgentUnreachable', problem.message, { cause: err });
    }
  }
}
