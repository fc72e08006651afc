import { annotation, API_GROUP, FIELD_MANAGER, label, type ReplicationSpec } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { hashOf } from '../hash.js';

/** Labels of pod security admission travel with the namespace: what may run there must be able to run at the copy. */
const podSecurity = /^pod-security\.kubernetes\.io\//;

/** Written or read by the cluster itself, as prefixes: they mean nothing elsewhere, or too much. */
const ofTheCluster = [
  'kubernetes.io/metadata.name',
  'kubectl.kubernetes.io/',
  // Allocated ranges of users, groups and SELinux levels, and what follows from them.
  'openshift.io/sa.scc.',
  'security.openshift.io/MinimallySufficientPodSecurityStandard',
  'olm.operatorgroup.uid/',
  'field.cattle.io/',
  'management.cattle.io/',
  'lifecycle.cattle.io/',
  // Rights that each cluster gives for itself.
  'volsync.backube/privileged-movers',
  `${API_GROUP}/`,
];

type Wanted = Pick<ReplicationSpec['clusterResources'], 'namespaceLabels' | 'namespaceAnnotations'>;

/**
 * The destination namespace as it should be: pod security labels, the other labels and annotations of the source where
 * that is asked for, our own marks. Pure.
 *
 * @returns an object for server-side apply, with a hash of itself
 */
export function desiredNamespace(source: KubeObject, name: string, wanted: Wanted): KubeObject {
  const { labels, annotations } = source.metadata;
  const object: KubeObject = {
    ...{ apiVersion: 'v1', kind: 'Namespace' },
    metadata: {
      name,
      labels: {
        ...kept(labels, (key) => podSecurity.test(key) || (wanted.namespaceLabels && isUsers(key))),
        [label.managedBy]: FIELD_MANAGER,
      },
      annotations: {
        ...kept(annotations, (key) => wanted.namespaceAnnotations && isUsers(key)),
        [annotation.source]: source.metadata.name,
      },
    },
  };
  const hash = hashOf(object.metadata);
  const marked = { ...object.metadata.annotations, [annotation.desiredHash]: hash };
  return { ...object, metadata: { ...object.metadata, annotations: marked } };
}

function isUsers(key: string): boolean {
  return !ofTheCluster.some((prefix) => key.startsWith(prefix));
}

function kept(
  values: Readonly<Record<string, string>> | undefined,
  keep: (key: string) => boolean,
): Record<string, string> {
  return Object.fromEntries(Object.entries(values ?? {}).filter(([key]) => keep(key)));
}
