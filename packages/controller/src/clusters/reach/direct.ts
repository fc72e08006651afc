import { DrError, type RemoteClusterSpec } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import type { ControlRoute, DataRoute, Reach, ReachReport } from './reach.js';

type Connectivity = RemoteClusterSpec['connectivity'];

interface Node extends KubeObject {
  status?: { addresses?: { type: string; address: string }[] };
}

export interface DirectReachOptions {
  readonly client: KubeClient;
  /** Of the agents, on their nodes. */
  readonly port: number;
  readonly connectivity: Pick<Connectivity, 'addressType' | 'overrides' | 'sourceRanges'>;
}

/** The agents by the addresses of their nodes. */
export class DirectReach implements Reach {
  readonly #options: DirectReachOptions;

  constructor(options: DirectReachOptions) {
    this.#options = options;
  }

  async control<T>(
    node: string,
    attempt: (route: ControlRoute) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return attempt(await this.#address(node, signal));
  }

  async data(node: string, from: readonly string[], signal: AbortSignal): Promise<DataRoute> {
    const { host, port } = await this.#address(node, signal);
    return {
      ...{ host, port },
      from: this.#options.connectivity.sourceRanges ?? from,
      relayed: false,
      failed: () => false,
      close: () => undefined,
    };
  }

  retain(): void {
    // Nothing is kept of a node.
  }

  report(): ReachReport {
    const { addressType, overrides } = this.#options.connectivity;
    const some = Object.keys(overrides ?? {}).length;
    const more = some === 0 ? '' : `, ${some} of them by spec.connectivity.overrides`;
    return { mode: 'Direct', message: `Nodes are reached at their ${addressType}${more}.` };
  }

  /** @throws DrError AgentUnreachable when there is no such address; KubeError */
  async #address(node: string, signal: AbortSignal): Promise<{ host: string; port: number }> {
    const { client, port, connectivity } = this.#options;
    const override = connectivity.overrides?.[node];
    if (override !== undefined) return parseOverride(override, port);
    const found = await client.get<Node>({ resource: wellKnown.nodes, name: node }, { signal });
    const { addressType } = connectivity;
    const host = found.status?.addresses?.find((one) => one.type === addressType)?.address;
    if (host !== undefined) return { host, port };
    throw new DrError(
      'AgentUnreachable',
      `node ${node} has no address of type ${addressType}: set spec.connectivity.addressType or overrides`,
    );
  }
}

/** `host`, `host:port`, `address`, `[address]:port`. The CRD's pattern admits nothing else. */
export function parseOverride(text: string, port: number): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  // More colons than one without brackets: an IPv6 address alone.
  if (host === undefined) return { host: text, port };
  return { host, port: match?.[3] === undefined ? port : Number(match[3]) };
}
