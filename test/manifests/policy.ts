import { BlockList, isIPv6 } from 'node:net';

import type { KubeObject } from '@dr-syncer/kube';

type Labels = Readonly<Record<string, string>>;
interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}
interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}
interface Port {
  readonly protocol?: string;
  readonly port?: number;
  readonly endPort?: number;
}
interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly Port[];
}
interface PolicySpec {
  readonly podSelector: Selector;
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

/** A pod, or an address that no pod has. */
export type Party =
  | { readonly namespace: string; readonly labels: Labels; readonly address?: string }
  | { readonly address: string };

/** A connection as a policy sees it: after Services are resolved. */
export interface Flow {
  readonly from: Party;
  readonly to: Party;
  readonly protocol: 'TCP' | 'UDP';
  readonly port: number;
}

/**
 * Whether policies let a connection pass, as networking.k8s.io/v1 has it: a pod that some policy selects for a
 * direction is closed in that direction but for what one of those policies allows. The pod's own node is not looked at.
 */
export function passes(policies: readonly KubeObject[], flow: Flow): boolean {
  return open(policies, flow, 'Egress') && open(policies, flow, 'Ingress');
}

function open(policies: readonly KubeObject[], flow: Flow, direction: 'Ingress' | 'Egress'): boolean {
  const [pod, other] = direction === 'Ingress' ? [flow.to, flow.from] : [flow.from, flow.to];
  const selecting = policies.filter(({ metadata, ...rest }) => {
    const spec = rest['spec'] as PolicySpec;
    const isThere = 'labels' in pod && metadata.namespace === pod.namespace;
    return isThere && spec.policyTypes.includes(direction) && selects(spec.podSelector, pod.labels);
  });
  if (selecting.length === 0) return true;
  return selecting.some(({ metadata, ...rest }) => {
    const { ingress = [], egress = [] } = rest['spec'] as PolicySpec;
    const rules = direction === 'Ingress' ? ingress : egress;
    return rules.some(
      ({ from, to, ports }) =>
        (ports === undefined || ports.some((port) => fits(port, flow))) &&
        isPeer(direction === 'Ingress' ? from : to, other, metadata.namespace ?? ''),
    );
  });
}

function fits({ protocol = 'TCP', port, endPort = port }: Port, flow: Flow): boolean {
  if (protocol !== flow.protocol) return false;
  return port === undefined || (flow.port >= port && flow.port <= (endPort ?? port));
}

function isPeer(peers: readonly Peer[] | undefined, party: Party, home: string): boolean {
  if (peers === undefined || peers.length === 0) return true;
  return peers.some(({ ipBlock, podSelector, namespaceSelector }) => {
    if (ipBlock !== undefined) return party.address !== undefined && isIn(ipBlock.cidr, party.address);
    if (!('labels' in party)) return false;
    const namespaceFits =
      namespaceSelector === undefined
        ? party.namespace === home
        : selects(namespaceSelector, { 'kubernetes.io/metadata.name': party.namespace });
    return namespaceFits && (podSelector === undefined || selects(podSelector, party.labels));
  });
}

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      if (operator !== 'In') throw new Error(`operator ${operator} is not used here`);
      return values.includes(labels[key] ?? '');
    })
  );
}

function isIn(cidr: string, address: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return (isIPv6(address) ? 'ipv6' : 'ipv4') === family && list.check(address, family);
}
