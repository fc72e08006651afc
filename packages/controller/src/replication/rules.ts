import { DrError, type RemoteClusterSpec, type Replication, SYSTEM_NAMESPACE } from '@dr-syncer/api';

/** Where a Replication goes from and to. */
export interface Route {
  /** `namespace/name` of the RemoteCluster. */
  readonly remoteKey: string;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
}

/**
 * Who may replicate what: a Replication in the product's own namespace, where only administrators write, may name any
 * namespace; one elsewhere only its own, towards the same name.
 *
 * @throws DrError NamespaceNotAllowed
 */
export function routeOf({ metadata, spec }: Replication): Route {
  const own = metadata.namespace;
  const sourceNamespace = spec.sourceNamespace ?? own;
  const destinationNamespace = spec.destinationNamespace ?? sourceNamespace;
  const [first = '', second] = spec.destinationCluster.split('/');
  const remoteKey = second === undefined ? `${own}/${first}` : `${first}/${second}`;
  if (own !== SYSTEM_NAMESPACE) {
    if (sourceNamespace !== own) throw notAllowed('spec.sourceNamespace', sourceNamespace, own);
    const sharesRemote = !remoteKey.startsWith(`${own}/`);
    // Whose cluster it is decides where in it; in a shared one others' namespaces are out of reach.
    if (sharesRemote && destinationNamespace !== own) {
      throw notAllowed('spec.destinationNamespace', destinationNamespace, own);
    }
  }
  if (sourceNamespace === SYSTEM_NAMESPACE || sourceNamespace.startsWith('kube-')) {
    throw new DrError(
      'NamespaceNotAllowed',
      `spec.sourceNamespace: ${sourceNamespace} is a system namespace`,
    );
  }
  return { remoteKey, sourceNamespace, destinationNamespace };
}

function notAllowed(field: string, value: string, own: string): DrError {
  return new DrError(
    'NamespaceNotAllowed',
    `${field}: ${value} is not allowed, a Replication outside of ${SYSTEM_NAMESPACE} may only name its own namespace ${own}`,
  );
}

/** @throws DrError NamespaceNotAllowed when the RemoteCluster does not admit Replications of this namespace */
export function checkAdmission(
  remoteKey: string,
  remote: Pick<RemoteClusterSpec, 'allowedNamespaces'>,
  replication: Pick<Replication, 'metadata' | 'spec'>,
): void {
  const { namespace } = replication.metadata;
  if (remoteKey.startsWith(`${namespace}/`)) return;
  checkClusterResources(replication);
  const allowed = remote.allowedNamespaces ?? [];
  if (allowed.includes('*') || allowed.includes(namespace)) return;
  throw new DrError(
    'NamespaceNotAllowed',
    `RemoteCluster ${remoteKey} does not list ${namespace} in spec.allowedNamespaces`,
  );
}

/** In a cluster that is shared, what is outside of namespaces is the administrators' matter. */
function checkClusterResources({ metadata, spec }: Pick<Replication, 'metadata' | 'spec'>): void {
  if (metadata.namespace === SYSTEM_NAMESPACE) return;
  const asked = (['customResourceDefinitions', 'namespaceLabels', 'namespaceAnnotations'] as const).find(
    (field) => spec.clusterResources[field],
  );
  if (asked === undefined) return;
  throw new DrError(
    'NamespaceNotAllowed',
    `spec.clusterResources.${asked} is only for Replications in ${SYSTEM_NAMESPACE} or with a RemoteCluster of their own namespace`,
  );
}
