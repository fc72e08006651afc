import { join } from 'node:path';
import type { ClusterPlan, NodePlan } from './plan.js';

export type Argv = readonly [string, ...string[]];

/** Programs of the control plane, which run on the first node, in the order in which they start. */
export const controlPlanePrograms = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
] as const;
/** Programs of every node. */
export const nodePrograms = ['containerd', 'kubelet', 'kube-proxy'] as const;
export type ProgramName = (typeof controlPlanePrograms)[number] | (typeof nodePrograms)[number];

/** How each program of a node is called. `bin` holds the links into the multi-call binary. */
export function programArgv(cluster: ClusterPlan, node: NodePlan, bin: string): Record<ProgramName, Argv> {
  const pki = (file: string): string => join(cluster.directory, 'pki', file);
  const inCluster = (file: string): string => join(cluster.directory, file);
  const inNode = (...segments: string[]): string => join(node.directory, ...segments);
  return {
    etcd: [
      join(bin, 'etcd'),
      ...['--name=default', `--data-dir=${inCluster('etcd')}`],
      // A test cluster is thrown away after a power failure; syncing every write would only slow it down.
      '--unsafe-no-fsync',
      ...['--listen-client-urls=http://127.0.0.1:2379', '--advertise-client-urls=http://127.0.0.1:2379'],
      ...['--listen-peer-urls=http://127.0.0.1:2380', '--log-level=warn'],
    ],
    'kube-apiserver': [
      join(bin, 'kube-apiserver'),
      ...['--etcd-servers=http://127.0.0.1:2379', '--secure-port=6443', '--bind-address=0.0.0.0'],
      `--advertise-address=${cluster.nodes[0].address}`,
      `--service-cluster-ip-range=${cluster.serviceCidr}`,
      ...apiServerIdentityFlags(pki),
      `--kubelet-certificate-authority=${pki('ca.crt')}`,
      `--kubelet-client-certificate=${pki('kubelet-client.crt')}`,
      `--kubelet-client-key=${pki('kubelet-client.key')}`,
      // Else exec and logs look the node's name up in DNS.
      '--kubelet-preferred-address-types=InternalIP',
      ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction'],
      '--allow-privileged=true',
      ...auditFlags(inCluster('audit-policy.yaml'), inCluster('audit.log')),
    ],
    'kube-controller-manager': [
      join(bin, 'kube-controller-manager'),
      ...[`--kubeconfig=${inCluster('kube-controller-manager.kubeconfig')}`, '--leader-elect=false'],
      ...[`--root-ca-file=${pki('ca.crt')}`, `--service-account-private-key-file=${pki('sa.key')}`],
      ...[`--cluster-signing-cert-file=${pki('ca.crt')}`, `--cluster-signing-key-file=${pki('ca.key')}`],
      '--use-service-account-credentials=true',
    ],
    'kube-scheduler': [
      join(bin, 'kube-scheduler'),
      ...[`--kubeconfig=${inCluster('kube-scheduler.kubeconfig')}`, '--leader-elect=false'],
    ],
    containerd: ['/usr/bin/containerd', '--config', inNode('etc/containerd.toml')],
    kubelet: [
      join(bin, 'kubelet'),
      ...[`--config=${inNode('etc/kubelet.yaml')}`, `--kubeconfig=${inNode('kubelet.kubeconfig')}`],
      ...[`--hostname-override=${node.name}`, `--node-ip=${node.address}`],
    ],
    'kube-proxy': [join(bin, 'kube-proxy'), `--config=${inNode('etc/kube-proxy.yaml')}`],
  };
}

/** Who an API server is, whom it believes and how it signs; the same for full clusters and for one alone. */
export function apiServerIdentityFlags(pki: (file: string) => string): string[] {
  return [
    `--client-ca-file=${pki('ca.crt')}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-signing-key-file=${pki('sa.key')}`,
    `--service-account-key-file=${pki('sa.pub')}`,
  ];
}

/** Blocking mode: a request that has been answered is in the log. */
export function auditFlags(policy: string, log: string): string[] {
  return [
    ...[`--audit-policy-file=${policy}`, `--audit-log-path=${log}`, '--audit-log-mode=blocking'],
    ...['--audit-log-maxsize=200', '--audit-log-maxbackup=2'],
  ];
}
