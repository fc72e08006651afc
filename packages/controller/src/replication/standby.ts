import type { Replication } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import type { Cluster } from '../clusters/cluster.js';
import { claimNamespace, type EngineSetup, openEngine, type OpenEngine, ownUids } from '../engine/index.js';
import { ensureNamespace } from '../resources/namespace.js';
import type { Route } from './rules.js';

export interface StandbySetup extends Omit<
  EngineSetup,
  'ownUids' | 'sourceNamespace' | 'destinationNamespace'
> {
  /** UID of the namespace kube-system of the source cluster. */
  readonly sourceId: string;
  readonly route: Route;
}

/** The destination namespace, claimed for this Replication. */
export interface ClaimedNamespace {
  readonly namespace: KubeObject;
  readonly ownUids: ReadonlySet<string>;
}

/**
 * Has the destination namespace there and ours. Nothing else is ever written to it before.
 *
 * @param source the source namespace
 * @throws DrError NamespaceNotAllowed, DestinationOwned, StandbyActive; KubeError
 */
export async function claimDestination(
  remote: Cluster,
  replication: Replication,
  { route, sourceId }: Pick<StandbySetup, 'route' | 'sourceId'>,
  source: KubeObject,
  signal: AbortSignal,
): Promise<ClaimedNamespace> {
  const { metadata } = replication;
  const claimant = {
    sourceCluster: sourceId,
    sourceNamespace: route.sourceNamespace,
    replication: `${metadata.namespace}/${metadata.name}`,
    uid: metadata.uid,
  };
  const { clusterResources: wanted } = replication.spec;
  const { destinationNamespace } = route;
  const namespace = await ensureNamespace(remote.client, source, destinationNamespace, wanted, signal);
  const record = await claimNamespace(remote.client, namespace, claimant, signal);
  return { namespace, ownUids: ownUids(record, claimant) };
}

/** The engine for the objects of a claimed namespace. */
export function engineFor(setup: StandbySetup, { ownUids: uids }: ClaimedNamespace): OpenEngine {
  const { sourceNamespace, destinationNamespace } = setup.route;
  return openEngine({ ...setup, sourceNamespace, destinationNamespace, ownUids: uids });
}
