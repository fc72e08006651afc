import { join } from 'node:path';

/** What a local cluster is to be: names, addresses and places. Nothing here touches the machine. */
export interface ClusterPlan {
  readonly name: ClusterName;
  readonly storageClass: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  /** The first address of the service range: the `kubernetes` Service. */
  readonly apiServiceAddress: string;
  readonly directory: string;
  readonly nodes: readonly [NodePlan, ...NodePlan[]];
}

export interface NodePlan {
  readonly cluster: ClusterName;
  readonly name: string;
  readonly address: string;
  readonly podCidr: string;
  /** Host end of the node's veth pair; at most 15 characters (IFNAMSIZ). */
  readonly hostInterface: string;
  readonly bridge: Bridge;
  readonly directory: string;
}

export type ClusterName = 'dr-source' | 'dr-remote';
export const clusterNames: readonly ClusterName[] = ['dr-source', 'dr-remote'];

/** The layer-2 network of all nodes; the host has an address in it, so it reaches every API server. */
export interface Bridge {
  readonly name: string;
  readonly address: string;
  readonly prefix: number;
}

/** @param network second octet of its addresses */
export function planBridge(network: number): Bridge {
  return { name: `drsyncer${network}`, address: `10.${network}.0.1`, prefix: 24 };
}

// Ranges of the two clusters don't overlap: pods of one must be able to reach nodes of the other.
const ranges = {
  'dr-source': { firstHost: 11, pods: '10.244', services: '10.96', storageClass: 'fast' },
  'dr-remote': { firstHost: 21, pods: '10.245', services: '10.97', storageClass: 'standard-dr' },
} as const;

export function planCluster(
  name: ClusterName,
  nodeCount: number,
  { stateDir, network }: { stateDir: string; network: number },
): ClusterPlan {
  const range = ranges[name];
  const directory = join(stateDir, name);
  const node = (index: number): NodePlan => ({
    cluster: name,
    name: `${name}-${index + 1}`,
    address: `10.${network}.0.${range.firstHost + index}`,
    podCidr: `${range.pods}.${index + 1}.0/24`,
    hostInterface: `v${network}-${name}-${index + 1}`,
    bridge: planBridge(network),
    directory: join(directory, 'nodes', `${name}-${index + 1}`),
  });
  return {
    name,
    storageClass: range.storageClass,
    podCidr: `${range.pods}.0.0/16`,
    serviceCidr: `${range.services}.0.0/16`,
    apiServiceAddress: `${range.services}.0.1`,
    directory,
    nodes: [node(0), ...Array.from({ length: nodeCount - 1 }, (_, more) => node(more + 1))],
  };
}

export function apiServerUrl(plan: ClusterPlan): string {
  return `https://${plan.nodes[0].address}:6443`;
}
