import { agentNames, CONTROL_COMMAND, DrError, SSH_USER, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, kubeToDrError, wellKnown } from '@dr-syncer/kube';
import { connectControl, type ControlConnection, type Peer, type Result } from '@dr-syncer/ssh';

import { type KeySecret, readClientKeys } from '../rotation/client-keys.js';
import { pinsOf, readHostKeys } from '../rotation/host-keys.js';
import { DirectReach, type DirectReachOptions } from './reach/direct.js';
import { PortForwardReach } from './reach/port-forward.js';
import { Relay } from './reach/relay.js';

const TIMEOUT_MS = 8_000;

export interface AgentVisitOptions {
  /** Of the cluster that the agents run in. */
  readonly client: KubeClient;
  /** Where the controller's key for them is. */
  readonly keys: {
    readonly client: KubeClient;
    readonly at: { readonly namespace: string; readonly name: string };
  };
  /** Of the agents, on their nodes. */
  readonly port: number;
  readonly connectivity: DirectReachOptions['connectivity'];
}

export interface Hello extends Result<'hello'> {
  /** The agent's clock minus ours, taking the answer for made halfway (ms). */
  readonly aheadMs: number;
}

const silent = { info: () => undefined, warn: () => undefined };

/**
 * Speaks to agents as the controller does, for a look from outside: nothing is made or changed, neither keys nor
 * agents. Who calls this needs to be able to read the controller's key.
 */
export class AgentVisit {
  readonly #options: AgentVisitOptions;
  readonly #direct: DirectReach;
  readonly #forward: PortForwardReach;

  constructor(options: AgentVisitOptions) {
    const { client, port, connectivity } = options;
    this.#options = options;
    this.#direct = new DirectReach({ client, port, connectivity });
    this.#forward = new PortForwardReach({
      ...{ client, cluster: 'visited' },
      podOn: (node, signal) => podOn(client, node, signal),
      // Control connections alone are made, and those are not relayed.
      relay: new Relay({ address: undefined, ports: { first: 0, last: 0 }, logger: silent }),
    });
  }

  /** Where transfers reach the node's agent. @throws DrError AgentUnreachable: the node has no such address */
  async address(
    node: string,
    signal: AbortSignal,
  ): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port } = await this.#direct.data(node, [], signal);
    return { host, port };
  }

  /**
   * @throws DrError AgentUnreachable, AgentNotReady, AgentRefusedKey, HostKeyMismatch, KeyInvalid, ObjectNotFound,
   *   PermissionMissing, Timeout
   */
  async visit<T>(node: string, ask: (peer: Peer) => Promise<T>, signal: AbortSignal): Promise<T> {
    const connection = await this.#connect(node, signal);
    try {
      return await ask(connection.peer);
    } finally {
      connection.close();
      await connection.closed;
    }
  }

  /** @throws as `visit` */
  hello(node: string, signal: AbortSignal): Promise<Hello> {
    return this.visit(
      node,
      async (peer) => {
        const asked = Date.now();
        const answer = await peer.request('hello', {}, { signal, timeoutMs: TIMEOUT_MS });
        const halfway = (asked + Date.now()) / 2;
        return { ...answer, aheadMs: Math.round(Date.parse(answer.now) - halfway) };
      },
      signal,
    );
  }

  /** Whether an SSH server answers the agent's pod at this address. @throws as `visit` */
  probe(node: string, host: string, port: number, signal: AbortSignal): Promise<Result<'ports.probe'>> {
    const ask = (peer: Peer) =>
      peer.request('ports.probe', { host, port }, { signal, timeoutMs: TIMEOUT_MS });
    return this.visit(node, ask, signal);
  }

  async #connect(node: string, signal: AbortSignal): Promise<ControlConnection> {
    const { client, keys } = this.#options;
    const at = { namespace: SYSTEM_NAMESPACE, name: agentNames.hostKeysSecret };
    const [own, theirs] = await Promise.all([
      keys.client.get<KeySecret>({ resource: wellKnown.secrets, ...keys.at }, { signal }),
      client.get<KeySecret>({ resource: wellKnown.secrets, ...at }, { signal }),
    ]).catch((err: unknown) => {
      throw kubeToDrError(err);
    });
    const privateKey = readClientKeys(own, CONTROL_COMMAND).current;
    const hostKeys = pinsOf(readHostKeys(theirs));
    const as = { user: SSH_USER, privateKey, hostKeys, timeoutMs: TIMEOUT_MS, signal };
    let last: DrError | undefined;
    // Whoever looks sits at a desk: the API server is the way that is open most often.
    for (const way of [this.#forward, this.#direct]) {
      try {
        return await way.control(node, (route) => connectControl({ ...route, ...as }), signal);
      } catch (err) {
        signal.throwIfAborted();
        last = kubeToDrError(err);
        // Who answers and says no would say no on every way.
        if (last.code === 'HostKeyMismatch' || last.code === 'AgentRefusedKey') throw last;
      }
    }
    throw last ?? new DrError('AgentUnreachable', `there is no way to node ${node}`);
  }
}

interface AgentPod extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

async function podOn(client: KubeClient, node: string, signal: AbortSignal): Promise<string | undefined> {
  const { items } = await client.list<AgentPod>(wellKnown.pods, {
    ...{ namespace: SYSTEM_NAMESPACE, labelSelector: `app=${agentNames.daemonSet}`, signal },
  });
  const ready = ({ status }: AgentPod) =>
    status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
  return items.find((pod) => pod.spec.nodeName === node && ready(pod))?.metadata.name;
}
