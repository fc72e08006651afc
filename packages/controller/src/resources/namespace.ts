import {
  annotation,
  DrError,
  FIELD_MANAGER,
  label,
  type ReplicationSpec,
  SYSTEM_NAMESPACE,
} from '@dr-syncer/api';
import { isConflict, type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import { desiredNamespace } from './cluster-scoped/namespace-metadata.js';

/**
 * Creates the destination namespace when it is missing, and keeps labels and annotations of one that it has made as
 * `spec.clusterResources` says. One that was there before is left as it is.
 *
 * @throws DrError NamespaceNotAllowed; KubeError
 */
export async function ensureNamespace(
  remote: KubeClient,
  source: KubeObject,
  name: string,
  wanted: ReplicationSpec['clusterResources'],
  signal: AbortSignal,
): Promise<KubeObject> {
  refuseDestination(name);
  const ref = { resource: wellKnown.namespaces, name };
  const present = await remote.find(ref, { signal });
  const desired = desiredNamespace(source, name, wanted);
  const options = { fieldManager: FIELD_MANAGER, signal };
  const decision = decideNamespace(present, desired);
  if (present === undefined || decision === 'create') {
    return remote.apply(wellKnown.namespaces, desired, options);
  }
  if (decision === 'leave') return present;
  try {
    return await remote.apply(wellKnown.namespaces, desired, options);
  } catch (err) {
    // An administrator of the remote has decided otherwise about one of them; that counts.
    if (isConflict(err)) return present;
    throw err;
  }
}

/** @throws DrError NamespaceNotAllowed */
export function refuseDestination(name: string): void {
  if (name.startsWith('kube-') || name === SYSTEM_NAMESPACE || name === 'default') {
    throw new DrError('NamespaceNotAllowed', `namespace ${name} can't be the destination of a Replication`);
  }
}

/** Pure. @throws DrError Timeout while it is being deleted, DestinationOwned when it is the namespace of a drill */
export function decideNamespace(
  present: KubeObject | undefined,
  desired: KubeObject,
): 'create' | 'update' | 'leave' {
  if (present === undefined) return 'create';
  const { name } = desired.metadata;
  const standby = present.metadata.labels?.[label.drillOf];
  if (standby !== undefined) {
    throw new DrError('DestinationOwned', `namespace ${name} at the destination is a drill of ${standby}`);
  }
  if (present.metadata.deletionTimestamp !== undefined) {
    throw new DrError('Timeout', `namespace ${name} is being deleted at the destination`);
  }
  return isAsDesired(present, desired) ? 'leave' : 'update';
}

function isAsDesired(present: KubeObject, desired: KubeObject): boolean {
  if (present.metadata.labels?.[label.managedBy] !== FIELD_MANAGER) return true;
  const hash = present.metadata.annotations?.[annotation.desiredHash];
  return hash === desired.metadata.annotations?.[annotation.desiredHash];
}
