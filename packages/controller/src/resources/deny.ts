import { API_GROUP } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

/**
 * What is never copied, with the reason. Written for people too: docs/reference/selection.md lists the same.
 * Whole types first: their objects are made by each cluster for itself.
 */
const deniedTypes: ReadonlyMap<string, string> = new Map([
  ['events', 'history of this cluster'],
  ['events.events.k8s.io', 'history of this cluster'],
  ['leases.coordination.k8s.io', 'who leads in this cluster'],
  ['controllerrevisions.apps', 'made by the StatefulSet or DaemonSet controller'],
  ['bindings', 'not a stored object'],
  ['pods.metrics.k8s.io', 'measurements of this cluster'],
  ['podmetrics.metrics.k8s.io', 'measurements of this cluster'],
  ['localsubjectaccessreviews.authorization.k8s.io', 'not a stored object'],
  ['csistoragecapacities.storage.k8s.io', 'capacity of this cluster'],
  ['resourceclaims.resource.k8s.io', 'allocation in this cluster'],
]);

/** `plural` or `plural.group`. */
export function typeName(plural: string, group: string): string {
  return group === '' ? plural : `${plural}.${group}`;
}

export function deniedType(plural: string, group: string): string | undefined {
  if (group === API_GROUP) return 'belongs to the product itself';
  return deniedTypes.get(typeName(plural, group));
}

function controllerOf(object: KubeObject): { kind: string; name: string } | undefined {
  const owners = object.metadata.ownerReferences as
    { kind: string; name: string; controller?: boolean }[] | undefined;
  return owners?.find((owner) => owner.controller === true);
}

type ObjectRule = (object: KubeObject) => string | undefined;

const objectRules: Readonly<Record<string, ObjectRule>> = {
  ConfigMap: (o) =>
    o.metadata.name === 'kube-root-ca.crt' ? 'made in every namespace by its cluster' : undefined,
  // OpenShift publishes its service CA the same way.
  ServiceAccount: (o) =>
    o.metadata.name === 'default' ? 'made in every namespace by its cluster' : undefined,
  Secret: (o) => {
    if (o['type'] === 'kubernetes.io/service-account-token') return 'token of this cluster';
    if (o['type'] === 'bootstrap.kubernetes.io/token') return 'token of this cluster';
    return undefined;
  },
  Endpoints: (o) => (isControllersEndpoints(o) ? 'made by the endpoint controller' : undefined),
  // Mirrored from Endpoints; those of Services are known by their owner.
  EndpointSlice: (o) =>
    o.metadata.labels?.['endpointslice.kubernetes.io/managed-by']?.endsWith('.k8s.io') === true
      ? 'made by the endpoint slice controller'
      : undefined,
  Pod: () => 'pods are made again from their workload; bare pods are not restarted by anyone',
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
  return subsets.some(({ addresses = [] }) => addresses.some(({ targetRef }) => targetRef?.kind === 'Pod'));
}

/** Why this object is not copied; undefined: it is. */
export function deniedObject(object: KubeObject): string | undefined {
  const owner = controllerOf(object);
  if (owner !== undefined) return `made by ${owner.kind} ${owner.name}`;
  return objectRules[object.kind]?.(object);
}
