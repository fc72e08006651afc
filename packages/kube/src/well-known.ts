import type { Resource } from './types.js';

function core(plural: string, kind: string, namespaced = true): Resource {
  return { group: '', version: 'v1', plural, kind, namespaced };
}

function grouped(group: string, plural: string, kind: string, namespaced = true): Resource {
  return { group, version: 'v1', plural, kind, namespaced };
}

/** Built-in resource types that are addressed by name in our code; everything else comes from discovery. */
export const wellKnown = {
  namespaces: core('namespaces', 'Namespace', false),
  nodes: core('nodes', 'Node', false),
  pods: core('pods', 'Pod'),
  secrets: core('secrets', 'Secret'),
  configMaps: core('configmaps', 'ConfigMap'),
  services: core('services', 'Service'),
  serviceAccounts: core('serviceaccounts', 'ServiceAccount'),
  persistentVolumeClaims: core('persistentvolumeclaims', 'PersistentVolumeClaim'),
  persistentVolumes: core('persistentvolumes', 'PersistentVolume', false),
  daemonSets: grouped('apps', 'daemonsets', 'DaemonSet'),
  deployments: grouped('apps', 'deployments', 'Deployment'),
  statefulSets: grouped('apps', 'statefulsets', 'StatefulSet'),
  storageClasses: grouped('storage.k8s.io', 'storageclasses', 'StorageClass', false),
  customResourceDefinitions: grouped(
    'apiextensions.k8s.io',
    'customresourcedefinitions',
    'CustomResourceDefinition',
    false,
  ),
  leases: grouped('coordination.k8s.io', 'leases', 'Lease'),
  events: grouped('events.k8s.io', 'events', 'Event'),
  selfSubjectAccessReviews: grouped(
    'authorization.k8s.io',
    'selfsubjectaccessreviews',
    'SelfSubjectAccessReview',
    false,
  ),
} as const satisfies Record<string, Resource>;
