import { REMOTE_SERVICE_ACCOUNT, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';

/** An object of the remote with its type, in the order in which they are applied. */
export interface RemoteObject {
  readonly resource: Resource;
  readonly object: KubeObject;
}

const RBAC = 'rbac.authorization.k8s.io';
const partOf = { 'app.kubernetes.io/part-of': 'dr-syncer' };
/** In each namespace that the account is limited to. */
const NAMESPACE_ROLE = 'dr-syncer-remote-ns';
/** The few things outside of namespaces that a limited account needs. */
const LIMITED_CLUSTER_ROLE = 'dr-syncer-remote-limited';

/** Objects are written by server-side apply, which is "patch" and, the first time, "create". */
const readAndWrite = ['get', 'list', 'watch', 'create', 'patch', 'delete'];
const keep = ['get', 'create', 'patch', 'delete'];

function rbac(plural: string, kind: string, namespaced: boolean): Resource {
  return { group: RBAC, version: 'v1', plural, kind, namespaced };
}
const clusterRoles = rbac('clusterroles', 'ClusterRole', false);
const clusterRoleBindings = rbac('clusterrolebindings', 'ClusterRoleBinding', false);
const roles = rbac('roles', 'Role', true);
const roleBindings = rbac('rolebindings', 'RoleBinding', true);

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/**
 * Any object of a standby. Its Roles may grant more than this account has itself, and its bindings name such Roles: the
 * API server asks for these two verbs then. Without them a namespace that has an operator of its own could not be brought.
 * All rules are those of manifests/remote, which are held against what a controller asks for.
 */
const anything: readonly Rule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: readAndWrite },
  { apiGroups: [RBAC], resources: ['roles'], verbs: ['escalate', 'bind'] },
];

/**
 * Namespace, account and permissions of dr-syncer in a remote cluster.
 *
 * @param namespaces those that the account is limited to; empty: the whole cluster
 */
export function remoteObjects(namespaces: readonly string[]): RemoteObject[] {
  const account = meta(REMOTE_SERVICE_ACCOUNT, SYSTEM_NAMESPACE);
  return [
    { resource: wellKnown.namespaces, object: systemNamespace() },
    {
      resource: wellKnown.serviceAccounts,
      object: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account },
    },
    ...(namespaces.length === 0 ? clusterWide() : limitedTo(namespaces)),
  ];
}

function meta(name: string, namespace?: string): KubeObject['metadata'] {
  return { name, ...(namespace !== undefined && { namespace }), labels: partOf };
}

/** As manifests/remote has it: the agent's mover needs a host path and capabilities. */
function systemNamespace(): KubeObject {
  const security = { enforce: 'privileged', warn: 'privileged' };
  const labels = Object.fromEntries(
    Object.entries(security).map(([mode, level]) => [`pod-security.kubernetes.io/${mode}`, level]),
  );
  const metadata = { ...meta(SYSTEM_NAMESPACE), labels: { ...partOf, ...labels } };
  return { apiVersion: 'v1', kind: 'Namespace', metadata };
}

function clusterWide(): RemoteObject[] {
  const rules = [...anything, { apiGroups: [RBAC], resources: ['clusterroles'], verbs: ['bind'] }];
  return clusterGrant(REMOTE_SERVICE_ACCOUNT, rules);
}

function limitedTo(namespaces: readonly string[]): RemoteObject[] {
  const outside: Rule[] = [
    { apiGroups: [''], resources: ['nodes', 'persistentvolumes'], verbs: ['get'] },
    { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['list'] },
    // To say when the standby would lack one of them (spec.clusterResources.checkClasses).
    { apiGroups: ['scheduling.k8s.io'], resources: ['priorityclasses'], verbs: ['list'] },
    { apiGroups: ['networking.k8s.io'], resources: ['ingressclasses'], verbs: ['list'] },
    { apiGroups: ['node.k8s.io'], resources: ['runtimeclasses'], verbs: ['list'] },
  ];
  return [
    ...namespaces.map((name) => ({
      resource: wellKnown.namespaces,
      object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    })),
    ...clusterGrant(LIMITED_CLUSTER_ROLE, outside),
    ...grant(REMOTE_SERVICE_ACCOUNT, SYSTEM_NAMESPACE, agentRules()),
    ...namespaces.flatMap((namespace) => grant(NAMESPACE_ROLE, namespace, anything)),
  ];
}

/** To install the agent, to reach it, and to renew its own token. */
function agentRules(): Rule[] {
  return [
    { apiGroups: [''], resources: ['secrets', 'serviceaccounts'], verbs: keep },
    { apiGroups: ['apps'], resources: ['daemonsets'], verbs: keep },
    { apiGroups: [''], resources: ['pods'], verbs: ['list', 'patch'] },
    { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] },
    {
      ...{ apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
      resourceNames: [REMOTE_SERVICE_ACCOUNT],
    },
  ];
}

const subjects = [{ kind: 'ServiceAccount', name: REMOTE_SERVICE_ACCOUNT, namespace: SYSTEM_NAMESPACE }];

function clusterGrant(name: string, rules: readonly Rule[]): RemoteObject[] {
  const apiVersion = `${RBAC}/v1`;
  const roleRef = { apiGroup: RBAC, kind: 'ClusterRole', name };
  return [
    { resource: clusterRoles, object: { apiVersion, kind: 'ClusterRole', metadata: meta(name), rules } },
    {
      resource: clusterRoleBindings,
      object: { apiVersion, kind: 'ClusterRoleBinding', metadata: meta(name), roleRef, subjects },
    },
  ];
}

function grant(name: string, namespace: string, rules: readonly Rule[]): RemoteObject[] {
  const apiVersion = `${RBAC}/v1`;
  const roleRef = { apiGroup: RBAC, kind: 'Role', name };
  return [
    { resource: roles, object: { apiVersion, kind: 'Role', metadata: meta(name, namespace), rules } },
    {
      resource: roleBindings,
      object: { apiVersion, kind: 'RoleBinding', metadata: meta(name, namespace), roleRef, subjects },
    },
  ];
}
