import type { KubeObject } from '@dr-syncer/kube';
import { beforeAll, describe, expect, test } from '@jest/globals';

import { type Flow, type Party, passes } from './policy.js';
import { kustomized, objectsByKey } from './render.js';

const SYSTEM = 'dr-syncer-system';
const controller: Party = {
  ...{ namespace: SYSTEM, address: '10.244.1.5' },
  labels: { app: 'dr-syncer-controller', 'app.kubernetes.io/part-of': 'dr-syncer' },
};
const agent: Party = {
  ...{ namespace: SYSTEM, address: '10.244.1.6' },
  labels: { app: 'dr-syncer-agent', 'app.kubernetes.io/part-of': 'dr-syncer' },
};
const tenant: Party = { namespace: 'shop', address: '10.244.1.9', labels: { app: 'web' } };
const prometheus: Party = {
  ...{ namespace: 'monitoring', address: '10.244.2.2' },
  labels: { 'app.kubernetes.io/name': 'prometheus' },
};
const impostor: Party = { ...prometheus, namespace: 'shop' };
const dns: Party = { namespace: 'kube-system', address: '10.244.0.2', labels: { 'k8s-app': 'kube-dns' } };
const node: Party = { address: '192.168.10.4' };
const sixNode: Party = { address: 'fd00:10::4' };
const publicServer: Party = { address: '203.0.113.7' };

const tcp = (from: Party, to: Party, port: number): Flow => ({ from, to, protocol: 'TCP', port });
const udp = (from: Party, to: Party, port: number): Flow => ({ from, to, protocol: 'UDP', port });

type Cases = readonly (readonly [what: string, flow: Flow, open: boolean])[];
const inBoth: Cases = [
  ['a node reaches an agent', tcp(node, agent, 2222), true],
  ['a node with an IPv6 address reaches an agent', tcp(sixNode, agent, 2222), true],
  ['an agent reaches the nodes of the other cluster', tcp(agent, publicServer, 2222), true],
  ['an agent asks for a name', udp(agent, dns, 53), true],
  ['the internet reaches an agent', tcp(publicServer, agent, 2222), false],
  ['somebody reads the metrics of an agent', tcp(tenant, agent, 8080), false],
  ['an agent reaches the API server', tcp(agent, node, 6443), false],
  ['an agent reaches a web server', tcp(agent, publicServer, 443), false],
];
const inSource: Cases = [
  ['the controller reaches its API server behind the Service', tcp(controller, node, 6443), true],
  ['the controller reaches a managed API server', tcp(controller, publicServer, 443), true],
  ['the controller asks for a name', udp(controller, dns, 53), true],
  ["the controller asks OpenShift's DNS", udp(controller, dns, 5353), true],
  ['the controller reaches agents by their nodes', tcp(controller, node, 2222), true],
  ['an agent sends through the controller', tcp(agent, controller, 22_201), true],
  ['Prometheus reads the metrics', tcp(prometheus, controller, 8080), true],
  [
    'a pod with the label of Prometheus in a namespace of a tenant does',
    tcp(impostor, controller, 8080),
    false,
  ],
  ['a tenant reaches a relay', tcp(tenant, controller, 22_201), false],
  ['a tenant reads the metrics', tcp(tenant, controller, 8080), false],
  ['the controller reaches something else', tcp(controller, publicServer, 8443), false],
];

describe.each([
  ['overlays/source-production', [...inBoth, ...inSource]],
  ['overlays/source-openshift', [...inBoth, ...inSource]],
  ['overlays/remote-production', inBoth],
])('Given the policies of %s', (path, cases) => {
  let policies: KubeObject[];
  beforeAll(async () => {
    const objects = [...objectsByKey(await kustomized(path)).values()];
    policies = objects.filter(({ kind }) => kind === 'NetworkPolicy');
  });

  test.each(cases)('When %s Then that passes or not', (_what, flow, expected) => {
    expect(passes(policies, flow)).toBe(expected);
  });
});

test('Given policies with port 443 alone and agents without egress Then nothing of the product works', () => {
  const policy = (app: string, spec: object): KubeObject => ({
    ...{
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: app, namespace: SYSTEM },
    },
    spec: { podSelector: { matchLabels: { app } }, policyTypes: ['Ingress', 'Egress'], ...spec },
  });
  const everywhere = [{ ipBlock: { cidr: '0.0.0.0/0' } }];
  const policies = [
    policy('dr-syncer-controller', {
      ingress: [{ from: [{ podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } }] }],
      egress: [{ to: everywhere, ports: [{ port: 443 }, { port: 2222 }] }],
    }),
    policy('dr-syncer-agent', { egress: [] }),
  ];
  const stopped = [
    tcp(controller, node, 6443),
    udp(controller, dns, 53),
    tcp(prometheus, controller, 8080),
    tcp(agent, publicServer, 2222),
  ];

  expect(stopped.filter((flow) => passes(policies, flow))).toEqual([]);
});
