import {
  agentNames,
  DrError,
  REMOTE_SERVICE_ACCOUNT,
  type RemoteClusterSpec,
  SYSTEM_NAMESPACE,
} from '@dr-syncer/api';
import { type AccessRule, describeRule, type KubeClient, missingPermissions } from '@dr-syncer/kube';

interface Need extends AccessRule {
  /** Without it no agent can be brought up; otherwise one function is missing. */
  readonly vital: boolean;
}

export interface WantedPermissions {
  readonly mode: RemoteClusterSpec['connectivity']['mode'];
  readonly deletionPolicy: RemoteClusterSpec['deletionPolicy'];
  /** Of the Replications that use the cluster. */
  readonly namespaces: readonly string[];
  /** The token is to be renewed. */
  readonly renewal: boolean;
}

/** What is asked for a namespace: the kinds that nearly every one has, as a sample of what may be in it. */
const standbyKinds = [
  ['', 'configmaps'],
  ['', 'secrets'],
  ['', 'services'],
  ['', 'serviceaccounts'],
  ['', 'persistentvolumeclaims'],
  ['apps', 'deployments'],
  ['apps', 'statefulsets'],
] as const;
/** Server-side apply of an object that is not there asks for both. */
const writing = ['create', 'patch'] as const;
const MAX_NAMESPACES = 20;
const MAX_NAMED = 12;

/** Everything that the controller may come to do in a remote cluster, by what its RemoteCluster asks for. */
export function neededPermissions(wanted: WantedPermissions): Need[] {
  return [...agentNeeds(wanted), ...wanted.namespaces.slice(0, MAX_NAMESPACES).flatMap(namespaceNeeds)];
}

function agentNeeds({ mode, deletionPolicy, renewal }: WantedPermissions): Need[] {
  const here = (vital: boolean, group: string, resource: string, verbs: readonly string[]): Need[] =>
    verbs.map((verb) => ({ verb, group, resource, namespace: SYSTEM_NAMESPACE, vital }));
  const forward = ['get', 'create'].map((verb) => ({
    ...{ verb, group: '', resource: 'pods', subresource: 'portforward', namespace: SYSTEM_NAMESPACE },
    vital: mode === 'PortForward',
  }));
  const removal = [
    ...here(false, '', 'secrets', ['delete']),
    ...here(false, '', 'serviceaccounts', ['delete']),
    ...here(false, 'apps', 'daemonsets', ['delete']),
  ];
  return [
    ...here(true, '', 'secrets', ['get', ...writing]),
    ...here(true, '', 'serviceaccounts', writing),
    ...here(true, 'apps', 'daemonsets', ['get', ...writing]),
    ...here(true, '', 'pods', ['list', 'patch']),
    ...(mode === 'PortForward'
      ? []
      : [{ verb: 'get', group: '', resource: 'nodes', vital: mode === 'Direct' }]),
    ...(mode === 'Direct' ? [] : forward),
    ...(deletionPolicy === 'Delete' ? removal : []),
    ...(renewal ? [tokenNeed()] : []),
    { verb: 'list', group: 'storage.k8s.io', resource: 'storageclasses', vital: false },
  ];
}

function tokenNeed(): Need {
  const rule = { verb: 'create', group: '', resource: 'serviceaccounts', subresource: 'token' };
  return { ...rule, name: REMOTE_SERVICE_ACCOUNT, namespace: SYSTEM_NAMESPACE, vital: false };
}

function namespaceNeeds(namespace: string): Need[] {
  const there = (group: string, resource: string, verbs: readonly string[]): Need[] =>
    verbs.map((verb) => ({ verb, group, resource, namespace, vital: false }));
  return [
    // As API servers see it: of a call for a namespace, that is the namespace too, and a Role in it will do.
    { verb: 'get', group: '', resource: 'namespaces', name: namespace, namespace, vital: false },
    ...standbyKinds.flatMap(([group, resource]) => there(group, resource, ['list', ...writing])),
    ...there('', 'pods', ['list', 'create', 'delete']),
  ];
}

export interface PermissionReport {
  readonly missing: readonly string[];
  /** Some of those, without which nothing works. */
  readonly vital: readonly string[];
}

/** @throws KubeError */
export async function checkPermissions(
  client: KubeClient,
  wanted: WantedPermissions,
  signal: AbortSignal,
): Promise<PermissionReport> {
  const needs = neededPermissions(wanted);
  const missing = await missingPermissions(client, needs, { signal });
  return {
    missing: missing.map((need) => describeRule(need)),
    vital: missing.filter((need) => need.vital).map((need) => describeRule(need)),
  };
}

/** `create secrets in shop, get nodes, and 3 more`. */
export function listed(permissions: readonly string[]): string {
  const named = permissions.slice(0, MAX_NAMED).join(', ');
  return permissions.length > MAX_NAMED ? `${named}, and ${permissions.length - MAX_NAMED} more` : named;
}

export function permissionError({ vital }: PermissionReport): DrError {
  return new DrError(
    'PermissionMissing',
    `the account may not do what the ${agentNames.daemonSet} needs: ${listed(vital)}`,
  );
}
