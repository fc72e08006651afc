import { annotation, DrError, FIELD_MANAGER, label, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

/** Labels of pod security admission travel with the namespace: what may run there must be able to run at the copy. */
const podSecurity = /^pod-security\.kubernetes\.io\//;

/**
 * Creates the destination namespace when it is missing; one that is there is left as it is. Annotations never travel:
 * those of privileges are each cluster's own decision, OpenShift's are allocated by each cluster.
 *
 * @throws DrError NamespaceNotAllowed; KubeError
 */
export async function ensureNamespace(
  remote: KubeClient,
  source: KubeObject,
  name: string,
  signal: AbortSignal,
): Promise<KubeObject> {
  if (name.startsWith('kube-') || name === SYSTEM_NAMESPACE || name === 'default') {
    throw new DrError('NamespaceNotAllowed', `namespace ${name} can't be the destination of a Replication`);
  }
  const ref = { resource: wellKnown.namespaces, name };
  const present = await remote.find(ref, { signal });
  if (present !== undefined) {
    if (present.metadata.deletionTimestamp === undefined) return present;
    throw new DrError('Timeout', `namespace ${name} is being deleted at the destination`);
  }
  const labels = Object.fromEntries(
    Object.entries(source.metadata.labels ?? {}).filter(([key]) => podSecurity.test(key)),
  );
  const namespace: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: { ...labels, [label.managedBy]: FIELD_MANAGER },
      annotations: { [annotation.source]: source.metadata.name },
    },
  };
  return remote.apply(wellKnown.namespaces, namespace, { fieldManager: FIELD_MANAGER, signal });
}
