import { type KubeObject, wellKnown } from '@dr-syncer/kube';

import { decideIdentities, type End, type IdentityDecision } from './identities.js';
import { workloadsOfClaim } from './resting-workloads.js';
import type { VolumeEnd, VolumeSync } from './sync-volume.js';

/** A decision with the annotations that it was made from. */
interface DecisionNow {
  readonly decision: IdentityDecision;
  readonly annotations: Readonly<Record<End, Readonly<Record<string, string>>>>;
}

/**
 * The decision for one volume, from both namespaces and the pods as they are at this moment: a volume may have waited
 * for hours since its sync began, and an annotation that was taken away meanwhile counts.
 *
 * @throws KubeError
 */
export async function decideNow(
  sync: Pick<VolumeSync, 'replication' | 'claim' | 'source' | 'destination' | 'policy'>,
  signal: AbortSignal,
): Promise<DecisionNow> {
  const { replication, claim, source, destination, policy } = sync;
  const [sourceNamespace, destinationNamespace, workloads] = await Promise.all([
    namespaceOf(source, signal),
    namespaceOf(destination, signal),
    workloadsOfClaim(source.cluster.client, source.namespace.metadata.name, claim, signal),
  ]);
  const decision = decideIdentities({
    ...{ replication, sourceNamespace, destinationNamespace, policy, workloads },
  });
  return {
    decision,
    annotations: {
      source: sourceNamespace.metadata.annotations ?? {},
      destination: destinationNamespace.metadata.annotations ?? {},
    },
  };
}

function namespaceOf({ cluster, namespace }: VolumeEnd, signal: AbortSignal): Promise<KubeObject> {
  return cluster.client.get({ resource: wellKnown.namespaces, name: namespace.metadata.name }, { signal });
}
