import type { RemoteClusterSpec } from '@dr-syncer/api';
import { keyOf, type KubeObject } from '@dr-syncer/kube';

import { parseReplication } from '../custom-resources.js';
import { checkAdmission, routeOf } from '../replication/rules.js';

/** A Replication that goes to a RemoteCluster. */
export interface RemoteClusterUser {
  readonly key: string;
  /** At the destination. */
  readonly namespace: string;
}

/**
 * Those of the Replications that want to use this RemoteCluster.
 *
 * @param spec of the RemoteCluster; with it, those alone that may
 */
export function usersOf(
  remoteKey: string,
  replications: readonly KubeObject[],
  spec?: Pick<RemoteClusterSpec, 'allowedNamespaces'>,
): RemoteClusterUser[] {
  return replications.flatMap((object) => {
    const parsed = parseReplication(object);
    if (!parsed.ok) return [];
    try {
      const route = routeOf(parsed.value);
      if (route.remoteKey !== remoteKey) return [];
      if (spec !== undefined) checkAdmission(remoteKey, spec, parsed.value);
      return [{ key: keyOf(object), namespace: route.destinationNamespace }];
    } catch {
      // Its own status says why.
      return [];
    }
  });
}

/** That these Replications come from. */
export function sourceNamespacesOf(replications: readonly KubeObject[]): string[] {
  const names = replications.flatMap((object) => {
    const parsed = parseReplication(object);
    return parsed.ok ? [parsed.value.spec.sourceNamespace ?? parsed.value.metadata.namespace] : [];
  });
  return [...new Set(names)];
}
