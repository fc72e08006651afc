import { API_GROUP } from '@dr-syncer/api';
import { controllerOf, type KubeObject, splitApiVersion } from '@dr-syncer/kube';

import { LAST_SYNC_CONFIG_MAP } from '../replication/last-sync.js';
import { kindName, typeName } from './type-names.js';

/**
 * What is never copied, with the reason. Written for people too: docs/reference/selection.md lists the same.
 * Whole types first: their objects are made by each cluster for itself.
 */
const deniedTypes: ReadonlyMap<string, string> = new Map([
  ['events', 'history of this cluster'],
  ['events.events.k8s.io', 'history of this cluster'],
  ['leases.coordination.k8s.io', 'who leads in this cluster'],
  ['leasecandidates.coordination.k8s.io', 'who leads in this cluster'],
  ['controllerrevisions.apps', 'made by the StatefulSet or DaemonSet controller'],
  ['pods', 'made again from their workload; a pod without one could not be kept at rest'],
  ['bindings', 'not a stored object'],
  ['localsubjectaccessreviews.authorization.k8s.io', 'not a stored object'],
  ['csistoragecapacities.storage.k8s.io', 'capacity of this cluster'],
  ['volumesnapshots.snapshot.storage.k8s.io', 'snapshots of the volumes of this cluster'],
  ['volumegroupsnapshots.groupsnapshot.storage.k8s.io', 'snapshots of the volumes of this cluster'],
  // The same objects once more under an older or a virtual group.
  ['ingresses.extensions', 'the same as ingresses.networking.k8s.io'],
  ['roles.authorization.openshift.io', 'the same as roles.rbac.authorization.k8s.io'],
  ['rolebindings.authorization.openshift.io', 'the same as rolebindings.rbac.authorization.k8s.io'],
]);

/** Measurements, served by aggregated API servers. */
const deniedGroups = new Set(['metrics.k8s.io', 'custom.metrics.k8s.io', 'external.metrics.k8s.io']);

/** Why no object of this type is copied; undefined: some are. */
export function deniedType(plural: string, group: string): string | undefined {
  if (group === API_GROUP) return 'belongs to the product itself';
  if (deniedGroups.has(group)) return 'measurements of this cluster';
  return deniedTypes.get(typeName(plural, group));
}

/** What of the rules of a Replication changes the list. */
export interface DenyOptions {
  readonly helmReleases: boolean;
  /** Objects of this type that have a controller are copied all the same. */
  readonly controlled: boolean;
  /** `Kind.group` of what is not namespaced: such an owner does not come along. Controllers of those are left out. */
  readonly clusterScopedKinds: ReadonlySet<string>;
}

type ObjectRule = (object: KubeObject, options: DenyOptions) => string | undefined;

const EVERYWHERE = 'made in every namespace by its cluster';
/** Published by Kubernetes, by the service CA of OpenShift and by Istio. */
const publishedConfigMaps = new Set(['kube-root-ca.crt', 'openshift-service-ca.crt', 'istio-ca-root-cert']);
/** What DR-Syncer leaves in a standby, which may be a source itself after a failover. */
const ownConfigMaps = new Set([LAST_SYNC_CONFIG_MAP]);
/** Kubernetes makes the first, OpenShift the others too. */
const publishedAccounts = new Set(['default', 'builder', 'deployer']);
const publishedRoleBindings = new Set(['system:image-pullers', 'system:image-builders', 'system:deployers']);
const tokenTypes = new Set(['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token']);
/** Names the account that a token or a pull Secret of OpenShift was made for. */
const accountAnnotations = [
  'kubernetes.io/service-account.uid',
  'openshift.io/internal-registry-auth-token.service-account',
];

const objectRules: Readonly<Record<string, ObjectRule>> = {
  ConfigMap: (o) => {
    if (ownConfigMaps.has(o.metadata.name)) return 'record of the syncs into this namespace';
    return publishedConfigMaps.has(o.metadata.name) ? EVERYWHERE : undefined;
  },
  ServiceAccount: (o) => (publishedAccounts.has(o.metadata.name) ? EVERYWHERE : undefined),
  'RoleBinding.rbac.authorization.k8s.io': (o) =>
    publishedRoleBindings.has(o.metadata.name) ? EVERYWHERE : undefined,
  Secret: (o, { helmReleases }) => {
    if (tokenTypes.has(String(o['type']))) return 'token of this cluster';
    if (accountAnnotations.some((key) => o.metadata.annotations?.[key] !== undefined)) {
      return 'token of this cluster';
    }
    if (o['type'] === 'helm.sh/release.v1' && !helmReleases) {
      return 'release of Helm in this cluster; spec.includeHelmReleases copies it';
    }
    return undefined;
  },
  Endpoints: (o) => (isControllersEndpoints(o) ? 'made by the endpoint controller' : undefined),
  'EndpointSlice.discovery.k8s.io': (o) =>
    o.metadata.labels?.['endpointslice.kubernetes.io/managed-by']?.endsWith('.k8s.io') === true
      ? 'made by the endpoint slice controller'
      : undefined,
};

/**
 * Those of a Service without a selector are the user's own list of addresses. The controller labels its own since
 * Kubernetes 1.33; before that, they are known by the pods that they name.
 */
function isControllersEndpoints(object: KubeObject): boolean {
  if (object.metadata.labels?.['endpoints.kubernetes.io/managed-by'] !== undefined) return true;
  if (object.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time'] !== undefined)
    return true;
  const subsets = (object['subsets'] ?? []) as { addresses?: { targetRef?: { kind?: string } }[] }[];
  return subsets.some(({ addresses }) =>
    (addresses ?? []).some(({ targetRef }) => targetRef?.kind === 'Pod'),
  );
}

/** Groups whose controllers are in every cluster: what they made they make again. */
const builtInOwners = new Set(['', 'apps', 'batch']);

/**
 * Left to its controller: the owner comes along and the controller at the destination makes the object again. Claims
 * are always copied, whoever made them: it is their data that counts, and nobody makes that again.
 */
function leftToController(object: KubeObject, options: DenyOptions): string | undefined {
  if (object.kind === 'PersistentVolumeClaim') return undefined;
  const owner = controllerOf(object);
  if (owner === undefined) return undefined;
  const { group } = splitApiVersion(owner.apiVersion);
  if (options.clusterScopedKinds.has(kindName(owner.kind, group))) return undefined;
  if (options.controlled && !builtInOwners.has(group)) return undefined;
  return `made by ${owner.kind} ${owner.name}`;
}

/** Why this object is not copied; undefined: it is. */
export function deniedObject(object: KubeObject, options: DenyOptions): string | undefined {
  const { group } = splitApiVersion(object.apiVersion);
  return objectRules[kindName(object.kind, group)]?.(object, options) ?? leftToController(object, options);
}
