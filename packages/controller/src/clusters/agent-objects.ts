import { AGENT_PORT, agentNames, type RemoteClusterSpec, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { hostKeyFiles } from '../rotation/host-keys.js';

/** What of the agents' deployment can be set. */
export type AgentSettings = Omit<RemoteClusterSpec['agentDeployment'], 'image'> & {
  readonly image: string;
  readonly environment: AgentEnvironment;
};

/** Variables that the controller hands on to the agents of all clusters: docs/reference/settings.md. */
export type AgentEnvironment = Readonly<
  Record<'LOG_LEVEL' | 'ENABLE_AUDIT_LOG' | 'SSH_LIMITS' | 'SSH_ALGORITHMS', string>
>;

const labels = { app: agentNames.daemonSet, 'app.kubernetes.io/part-of': 'dr-syncer' };

/**
 * The mover's capabilities, each with its reason: to become the identity of a transfer (SETUID, SETGID, SETPCAP for
 * the bounding set), to end it (KILL), to find volumes below directories that only kubelet may enter
 * (DAC_READ_SEARCH), and what privileged receivers are given on (CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD, SETFCAP).
 */
const moverCapabilities = [
  ...['SETUID', 'SETGID', 'SETPCAP', 'KILL', 'DAC_READ_SEARCH'],
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'MKNOD', 'SETFCAP'],
];

/** Enough for an agent at rest, so that it is not the first to be evicted. No limit: it would be shared by all transfers. */
const defaultResources = { requests: { cpu: '10m', memory: '64Mi' } };

/** The account has no permissions and its token is not mounted: agents hold no Kubernetes credentials. */
export function agentServiceAccount(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: agentNames.serviceAccount, namespace: SYSTEM_NAMESPACE, labels },
    automountServiceAccountToken: false,
  };
}

/** The agent: two containers a node, joined by a unix socket. Which holds what is the point of having two. */
export function agentDaemonSet(settings: AgentSettings): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: agentNames.daemonSet, namespace: SYSTEM_NAMESPACE, labels },
    spec: {
      selector: { matchLabels: { app: agentNames.daemonSet } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: { metadata: { labels }, spec: podSpec(settings) },
    },
  };
}

function podSpec(settings: AgentSettings): Record<string, unknown> {
  return {
    serviceAccountName: agentNames.serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 10,
    ...(settings.nodeSelector && { nodeSelector: settings.nodeSelector }),
    tolerations: settings.tolerations ?? [{ operator: 'Exists' }],
    ...(settings.priorityClassName && { priorityClassName: settings.priorityClassName }),
    // Lets uid 1000 read the host keys, and the mover share its sockets with it.
    securityContext: { fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [sshContainer(settings), moverContainer(settings)],
    volumes: [
      {
        name: 'host-keys',
        secret: { secretName: agentNames.hostKeysSecret, defaultMode: 0o440, items: hostKeyItems() },
      },
      {
        name: 'authorized-keys',
        secret: { secretName: agentNames.authorizedKeysSecret, defaultMode: 0o440 },
      },
      // Made at a failover, by whoever has this cluster.
      { name: 'fence', configMap: { name: agentNames.fenceConfigMap, optional: true } },
      { name: 'run', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
      { name: 'mover', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
      // What volumes were like at the last sync: 16 bytes an entry, and no more than survey-store.ts lets there be.
      { name: 'surveys', emptyDir: { sizeLimit: '2Gi' } },
      { name: 'pods', hostPath: { path: `${settings.kubeletDir}/pods`, type: 'Directory' } },
      ...hostPaths(settings).map(({ name, path }) => ({ name, hostPath: { path } })),
    ],
  };
}

function hostKeyItems(): object[] {
  return hostKeyFiles.map((file) => ({ key: file, path: file }));
}

function hostPaths({ hostPathPrefixes = [] }: AgentSettings): { name: string; path: string }[] {
  return hostPathPrefixes.map((path, index) => ({ name: `host-path-${index}`, path }));
}

function env({ environment }: AgentSettings): object[] {
  return [
    { name: 'LOG_LEVEL', value: environment.LOG_LEVEL },
    { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
  ];
}

function sshContainer(settings: AgentSettings): Record<string, unknown> {
  const { image, resources, port } = settings;
  return {
    name: 'ssh',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['node', '/app/packages/agent/dist/main.js', 'ssh'],
    env: [...env(settings), ...sshEnv(settings)],
    ports: [
      { name: 'ssh', containerPort: AGENT_PORT, hostPort: port, protocol: 'TCP' },
      { name: 'health', containerPort: 8081, protocol: 'TCP' },
      { name: 'metrics', containerPort: 8080, protocol: 'TCP' },
    ],
    securityContext: {
      runAsUser: 1000,
      runAsGroup: 1000,
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    startupProbe: { httpGet: { path: '/healthz', port: 'health' }, periodSeconds: 1, failureThreshold: 60 },
    livenessProbe: { httpGet: { path: '/healthz', port: 'health' }, periodSeconds: 20, timeoutSeconds: 5 },
    readinessProbe: { httpGet: { path: '/readyz', port: 'health' }, periodSeconds: 2, timeoutSeconds: 5 },
    resources: resources ?? defaultResources,
    volumeMounts: [
      { name: 'host-keys', mountPath: '/etc/dr-syncer/host-keys', readOnly: true },
      { name: 'authorized-keys', mountPath: '/etc/dr-syncer/authorized-keys', readOnly: true },
      { name: 'fence', mountPath: '/etc/dr-syncer/fence', readOnly: true },
      { name: 'run', mountPath: '/run/dr-syncer' },
    ],
  };
}

/** Unset stands for the defaults of the agent's version. */
function sshEnv({ environment }: AgentSettings): object[] {
  return (['ENABLE_AUDIT_LOG', 'SSH_LIMITS', 'SSH_ALGORITHMS'] as const).flatMap((name) =>
    environment[name] === '' ? [] : [{ name, value: environment[name] }],
  );
}

function moverContainer(settings: AgentSettings): Record<string, unknown> {
  const { image, resources, kubeletDir } = settings;
  return {
    name: 'mover',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['node', '/app/packages/agent/dist/main.js', 'mover'],
    env: [
      ...env(settings),
      { name: 'KUBELET_DIR', value: kubeletDir },
      {
        name: 'HOST_PATH_PREFIXES',
        value: hostPaths(settings)
          .map(({ path }) => path)
          .join(','),
      },
    ],
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: moverCapabilities },
      // Volumes carry the labels of their namespaces; container_t may read none of them. No effect without SELinux.
      seLinuxOptions: { type: 'spc_t' },
    },
    resources: resources ?? defaultResources,
    volumeMounts: [
      { name: 'run', mountPath: '/run/dr-syncer' },
      { name: 'mover', mountPath: '/run/dr-syncer-mover' },
      { name: 'surveys', mountPath: '/var/lib/dr-syncer-surveys' },
      // Volumes that kubelet mounts later appear here.
      { name: 'pods', mountPath: `${kubeletDir}/pods`, mountPropagation: 'HostToContainer' },
      // Where they are on the node, so that a PV's own path leads to it.
      ...hostPaths(settings).map(({ name, path }) => ({
        ...{ name, mountPath: path, mountPropagation: 'HostToContainer' },
      })),
    ],
  };
}
