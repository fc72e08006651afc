import { createHash } from 'node:crypto';

import {
  AGENT_PORT,
  agentNames,
  annotation,
  CONTROL_COMMAND,
  DrError,
  FIELD_MANAGER,
  label,
  type RemoteClusterSpec,
  SYSTEM_NAMESPACE,
} from '@dr-syncer/api';
import { isNotFound, type KubeClient, type KubeObject, kubeToDrError, wellKnown } from '@dr-syncer/kube';
import { type ControlConnection, type Peer, renderKeyNotice } from '@dr-syncer/ssh';

import type { AgentFact } from '../remote-cluster/agent-report.js';
import { HostKeySubject } from '../rotation/host-key-subject.js';
import { pinsOf } from '../rotation/host-keys.js';
import type { MakesKeys } from '../rotation/key-maker.js';
import type { Credentials, LoginAs, RotatedAgents } from '../rotation/rotated-agents.js';
import { AgentConnections } from './agent-connections.js';
import { agentDaemonSet, agentServiceAccount, type AgentSettings } from './agent-objects.js';
import { ensureAuthorizedKeys } from './authorized-keys-secret.js';
import { AutoReach } from './reach/auto.js';
import { DirectReach } from './reach/direct.js';
import { PortForwardReach } from './reach/port-forward.js';
import type { DataRoute, Reach, ReachReport } from './reach/reach.js';
import type { Relay } from './reach/relay.js';

interface Node extends KubeObject {
  status?: { addresses?: { type: string; address: string }[] };
}

interface DaemonSet extends KubeObject {
  spec?: { template?: { spec?: { containers?: { image?: string }[] } } };
  status?: {
    desiredNumberScheduled?: number;
    numberReady?: number;
    observedGeneration?: number;
    updatedNumberScheduled?: number;
  };
}

interface AgentPod extends KubeObject {
  spec: {
    nodeName?: string;
    containers?: { image?: string; ports?: { name?: string; containerPort: number }[] }[];
  };
  status?: {
    podIP?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: { state?: { waiting?: { reason?: string; message?: string } } }[];
  };
}

export interface AgentStatus {
  /** Nodes that should run one; 0 while the DaemonSet has not been looked at. */
  readonly desired: number;
  readonly agents: readonly AgentFact[];
}

/** How an agent is reached by a transfer: what is dialled, what its host key must be. Closed by who asked for it. */
export interface AgentEndpoint extends DataRoute {
  readonly hostKeys: readonly string[];
}

export interface AgentsOptions {
  /** Of the cluster that the agents run in. */
  readonly client: KubeClient;
  readonly credentials: Credentials;
  readonly maker: MakesKeys;
  /** Marks this controller's lines in the authorized_keys, among those of others. */
  readonly owner: string;
  readonly settings: AgentSettings;
  readonly connectivity: Pick<
    RemoteClusterSpec['connectivity'],
    'mode' | 'addressType' | 'overrides' | 'sourceRanges'
  >;
  /** For connectivity by port-forward. */
  readonly relay: Relay;
}

const daemonSetRef = {
  resource: wellKnown.daemonSets,
  namespace: SYSTEM_NAMESPACE,
  name: agentNames.daemonSet,
};
const HELLO_TIMEOUT_MS = 10_000;

/** The agents of one cluster: installs them, brings them their keys, and connects to them. */
export class Agents implements RotatedAgents {
  readonly hostKeySubject: HostKeySubject;
  readonly #options: AgentsOptions;
  readonly #reach: Reach;
  readonly #connections: AgentConnections;
  #credentials: Credentials;
  /** Of the DaemonSet, as the API server counts its changes, after ours. */
  #appliedGeneration: number | undefined;

  constructor(options: AgentsOptions) {
    const { client, maker, credentials } = options;
    this.#options = options;
    this.#credentials = credentials;
    this.#reach = this.#makeReach(options);
    const at = { namespace: SYSTEM_NAMESPACE, name: agentNames.hostKeysSecret };
    this.hostKeySubject = new HostKeySubject({ client, at, agents: this, maker });
    const readPins = async (signal: AbortSignal) => pinsOf(await this.hostKeySubject.load(signal));
    this.#connections = new AgentConnections({ reach: this.#reach, key: credentials.key, readPins });
  }

  /** For `label.owner`: of what is made for the agents' work, by whom. */
  get ownerLabel(): string {
    return ownerLabel(this.#options.owner);
  }

  /** How the nodes are reached, as far as that is known. */
  reach(): ReachReport {
    return this.#reach.report();
  }

  /** The host keys that are pinned; empty before `install`. */
  get hostKeys(): readonly string[] {
    return this.#connections.pins;
  }

  trust(credentials: Credentials): void {
    this.#credentials = credentials;
    this.#connections.use(credentials.key);
  }

  pin(hostKeys: readonly string[]): void {
    this.#connections.pin(hostKeys);
  }

  settled(): Promise<void> {
    return this.#connections.settled();
  }

  async nodes(signal: AbortSignal): Promise<string[]> {
    return (await this.#pods(signal)).flatMap(({ spec }) => spec.nodeName ?? []);
  }

  login(node: string, as: LoginAs, signal: AbortSignal): Promise<ControlConnection> {
    return this.#connections.login(node, as, signal);
  }

  /** Whether pins that were good once are so no more, because the keys have been replaced since. */
  async isRotated(hostKeys: readonly string[], signal: AbortSignal): Promise<boolean> {
    const now = pinsOf(await this.hostKeySubject.load(signal));
    this.pin(now);
    return now.join() !== hostKeys.join();
  }

  /**
   * Makes keys, account and DaemonSet what they should be. Idempotent, and without a write when they are.
   *
   * Where several share a remote, the agents are as the first of them wants: two that each insisted on their own image
   * would restart all agents for ever. They pass to the next one when the key of the first is gone.
   *
   * @returns whose settings the agents have
   * @throws KubeError, DrError KeyInvalid
   */
  async install(signal: AbortSignal): Promise<'ours' | 'of another'> {
    const { client, settings } = this.#options;
    const owners = await this.publishKeys(signal);
    const present = await client.find<DaemonSet>(daemonSetRef, { signal });
    const installer = present?.metadata.annotations?.[label.owner];
    const isOthers = installer !== undefined && installer !== this.ownerLabel;
    if (isOthers && owners.some((one) => ownerLabel(one) === installer)) return 'of another';
    if (present !== undefined && present.metadata.generation === this.#appliedGeneration) return 'ours';
    const options = { fieldManager: FIELD_MANAGER, force: true, signal };
    await client.apply(wellKnown.serviceAccounts, agentServiceAccount(), options);
    const daemonSet = agentDaemonSet(settings);
    daemonSet.metadata.annotations = { [label.owner]: this.ownerLabel };
    const applied = await client.apply(wellKnown.daemonSets, daemonSet, options);
    this.#appliedGeneration = applied.metadata.generation;
    return 'ours';
  }

  /** @returns the owners of all lines in the agents' authorized_keys */
  async publishKeys(signal: AbortSignal): Promise<readonly string[]> {
    const { client, owner } = this.#options;
    const { accepted, notices } = this.#credentials;
    const hostKeys = await this.hostKeySubject.load(signal);
    this.pin(pinsOf(hostKeys));
    const lines = [
      ...accepted.map(({ publicLine }) => `restrict,command="${CONTROL_COMMAND}" ${publicLine}`),
      ...notices.map((notice) => renderKeyNotice(notice)),
    ];
    const at = { namespace: SYSTEM_NAMESPACE, name: agentNames.authorizedKeysSecret };
    const { owners, revision } = await ensureAuthorizedKeys(client, at, { owner, lines }, signal);
    await this.#bringKeys(`${revision}.${hostKeys.secret.metadata.resourceVersion ?? ''}`, signal);
    return owners;
  }

  /**
   * Has every kubelet bring the keys into its agent now. By itself it looks at a pod's Secrets once in 60 to 90 s; an
   * update of the pod makes it look at once, and an annotation is the smallest one.
   */
  async #bringKeys(revision: string, signal: AbortSignal): Promise<void> {
    const pods = await this.#pods(signal);
    const stale = pods.filter(({ metadata }) => metadata.annotations?.[annotation.keysRevision] !== revision);
    await Promise.all(
      stale.map(async ({ metadata: { name } }) => {
        const body = { metadata: { annotations: { [annotation.keysRevision]: revision } } };
        try {
          const ref = { resource: wellKnown.pods, namespace: SYSTEM_NAMESPACE, name };
          await this.#options.client.patch(ref, body, 'merge', { fieldManager: FIELD_MANAGER, signal });
        } catch (err) {
          // Gone meanwhile; the next one starts with the keys as they are.
          if (!isNotFound(err)) throw err;
        }
      }),
    );
  }

  async status(signal: AbortSignal): Promise<AgentStatus> {
    const daemonSet = await this.#options.client.get<DaemonSet>(daemonSetRef, { signal });
    const current = daemonSet.status?.observedGeneration === daemonSet.metadata.generation;
    const desired = current ? (daemonSet.status?.desiredNumberScheduled ?? 0) : 0;
    const image = daemonSet.spec?.template?.spec?.containers?.[0]?.image;
    const agents = (await this.#pods(signal)).map((pod) => ({
      node: pod.spec.nodeName ?? pod.metadata.name,
      ready: isReady(pod),
      current: (pod.spec.containers ?? []).every((container) => container.image === image),
      waiting: waitingFor(pod),
    }));
    return { desired, agents };
  }

  /** Nodes with an agent that is ready. */
  async readyNodes(signal: AbortSignal): Promise<string[]> {
    const pods = await this.#pods(signal);
    return pods
      .filter(isReady)
      .flatMap((pod) => (pod.spec.nodeName === undefined ? [] : [pod.spec.nodeName]));
  }

  /**
   * The way of a transfer to this node's agent.
   *
   * @param from addresses of the sending agent
   * @throws DrError AgentUnreachable when the node has no address of the type asked for
   */
  async endpoint(node: string, from: readonly string[], signal: AbortSignal): Promise<AgentEndpoint> {
    const pins = pinsOf(await this.hostKeySubject.load(signal));
    return { ...(await this.#reach.data(node, from, signal)), hostKeys: pins };
  }

  /**
   * The way of a transfer to this node's agent from another one of the same cluster, or from itself: pod to pod. How the
   * source reaches this cluster (overrides, port-forward, ranges that it comes from) says nothing about it.
   *
   * @throws DrError AgentNotReady when no agent on the node is ready
   */
  async endpointWithin(node: string, from: readonly string[], signal: AbortSignal): Promise<AgentEndpoint> {
    const pins = pinsOf(await this.hostKeySubject.load(signal));
    const pod = (await this.#pods(signal)).find((one) => one.spec.nodeName === node && isReady(one));
    const host = pod?.status?.podIP;
    if (pod === undefined || host === undefined) {
      throw new DrError('AgentNotReady', `node ${node} has no agent that is ready`);
    }
    const closed = { relayed: false, failed: () => false, close: () => undefined };
    return { host, port: sshPortOf(pod), from, hostKeys: pins, ...closed };
  }

  /** Addresses that connections from this node's agent may come from: for `from=` of grants. */
  async sourceAddresses(node: string, signal: AbortSignal): Promise<string[]> {
    const found = await this.#options.client.get<Node>({ resource: wellKnown.nodes, name: node }, { signal });
    const pods = await this.#pods(signal);
    const pod = pods.find((one) => one.spec.nodeName === node)?.status?.podIP;
    const addresses = (found.status?.addresses ?? [])
      .filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP')
      .map(({ address }) => address);
    return [...new Set([...addresses, ...(pod === undefined ? [] : [pod])])];
  }

  /**
   * A control connection to the agent of a node, shared by all who ask.
   *
   * @throws DrError AgentUnreachable, AgentRefusedKey, HostKeyMismatch, Timeout
   */
  peer(node: string, signal: AbortSignal): Promise<Peer> {
    return this.#connections.peer(node, signal);
  }

  /**
   * Says hello to each of the nodes.
   *
   * @returns what went wrong, by node
   * @throws DrError HostKeyMismatch of the first node that shows one, with its name
   */
  async greet(nodes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, DrError>> {
    this.#reach.retain(nodes);
    const problems = new Map<string, DrError>();
    await Promise.all(
      nodes.map(async (node) => {
        try {
          const peer = await this.peer(node, signal);
          await peer.request('hello', {}, { signal, timeoutMs: HELLO_TIMEOUT_MS });
        } catch (err) {
          signal.throwIfAborted();
          problems.set(node, kubeToDrError(err));
        }
      }),
    );
    for (const [node, problem] of problems) {
      if (problem.code !== 'HostKeyMismatch') continue;
      throw new DrError(problem.code, `agent on node ${node}: ${problem.message}`, { cause: problem });
    }
    return problems;
  }

  close(): void {
    this.#connections.close();
  }

  #makeReach({ client, owner, settings, connectivity, relay }: AgentsOptions): Reach {
    const direct = new DirectReach({ client, port: settings.port, connectivity });
    const podOn = async (node: string, signal: AbortSignal) =>
      (await this.#pods(signal)).find((pod) => pod.spec.nodeName === node && isReady(pod))?.metadata.name;
    const forward = new PortForwardReach({ client, cluster: owner, podOn, relay });
    return { Direct: direct, PortForward: forward, Auto: new AutoReach(direct, forward) }[connectivity.mode];
  }

  async #pods(signal: AbortSignal): Promise<AgentPod[]> {
    const list = await this.#options.client.list<AgentPod>(wellKnown.pods, {
      namespace: SYSTEM_NAMESPACE,
      labelSelector: `app=${agentNames.daemonSet}`,
      signal,
    });
    return list.items;
  }
}

/** The owner as a label's value may be. */
export function ownerLabel(owner: string): string {
  return createHash('sha256').update(owner).digest('hex').slice(0, 40);
}

function waitingFor({ status }: AgentPod): string | undefined {
  const waiting = status?.containerStatuses?.find((one) => one.state?.waiting)?.state?.waiting;
  if (waiting === undefined) return undefined;
  return [waiting.reason, waiting.message].filter(Boolean).join(': ');
}

function sshPortOf({ spec }: AgentPod): number {
  const ports = (spec.containers ?? []).flatMap((container) => container.ports ?? []);
  return ports.find(({ name }) => name === 'ssh')?.containerPort ?? AGENT_PORT;
}

function isReady(pod: AgentPod): boolean {
  return (
    pod.metadata.deletionTimestamp === undefined &&
    pod.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true
  );
}
