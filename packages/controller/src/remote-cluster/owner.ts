import type { RemoteCluster } from '@dr-syncer/api';

/**
 * Whose something in a remote is: unique among all controllers that use it.
 *
 * @param sourceId UID of kube-system in the source cluster
 */
export function ownerOf(sourceId: string, { metadata: { namespace, name } }: RemoteCluster): string {
  return `${sourceId}/${namespace}/${name}`;
}
