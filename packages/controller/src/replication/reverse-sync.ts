import { DrError } from '@dr-syncer/api';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import type { RemoteHandle } from '../clusters/remote-clusters.js';
import { isActive, recordOf } from '../engine/index.js';
import { type Pod, workloadOf } from '../volumes/pods.js';
import { claimsWithData } from '../volumes/selected-claims.js';
import { type CopyOptions, copyVolume } from './copy-volume.js';
import type { ReplicationProgress } from './progress.js';
import { findSourceNamespace } from './source-namespace.js';
import { watched } from './while-standby.js';

/** `progress` is of the volumes of this run alone. */
export interface ReverseSyncOptions extends CopyOptions {
  readonly progress: ReplicationProgress;
  readonly source: Cluster;
  readonly sourceAgents: Agents;
  readonly remote: RemoteHandle;
}

/**
 * Takes the data of the volumes back from the active standby, only what differs. Whoever runs at the source is safe:
 * nothing is written to a volume that a pod of the workload has, and all of it ends when one comes.
 *
 * @throws DrError StandbyNotActive, DestinationOwned, SourceRunning, SourceNamespaceNotFound; KubeError
 */
export async function syncBack(options: ReverseSyncOptions, signal: AbortSignal): Promise<void> {
  const { replication, route, source, remote, progress, changed } = options;
  const { client } = source;
  const home = await findSourceNamespace(client, route.sourceNamespace, signal);
  const standby = await remote.cluster.client.get(
    { resource: wellKnown.namespaces, name: route.destinationNamespace },
    { signal },
  );
  requireRecord(standby, options);
  requireActive(standby);
  const claims = await claimsWithData(source, route.sourceNamespace, replication.spec, signal);
  const pods = await client.list<Pod>(wellKnown.pods, { namespace: route.sourceNamespace, signal });
  requireStopped(route.sourceNamespace, claims, pods.items);
  progress.beginVolumes(claims);
  changed();
  const way = {
    direction: 'reverse' as const,
    source: { cluster: remote.cluster, agents: remote.agents, namespace: standby },
    destination: { cluster: source, agents: options.sourceAgents, namespace: home },
  };
  const look = async (at: AbortSignal): Promise<void> => requireActive(await again(remote, standby, at));
  await watched(look, 'StandbyNotActive', signal, async (active) => {
    await Promise.all(claims.map((claim) => copyVolume(options, claim, way, active, fromTheSource(claim))));
    active.throwIfAborted();
  });
}

/**
 * Only a standby that was made from this very source: the record on it says so. Pure.
 *
 * @throws DrError DestinationOwned
 */
export function requireRecord(
  standby: KubeObject,
  { replication, route, sourceId }: Pick<ReverseSyncOptions, 'replication' | 'route' | 'sourceId'>,
): void {
  const record = recordOf(standby);
  const key = `${replication.metadata.namespace}/${replication.metadata.name}`;
  const isOurs =
    record?.cluster === sourceId &&
    record.namespace === route.sourceNamespace &&
    record.replications[key] !== undefined;
  if (isOurs) return;
  throw new DrError(
    'DestinationOwned',
    `namespace ${standby.metadata.name} at the destination is not the standby of Replication ${key}`,
  );
}

/** Pure. @throws DrError SourceRunning */
export function requireStopped(namespace: string, claims: readonly string[], pods: readonly Pod[]): void {
  for (const claim of claims) {
    const pod = workloadOf(pods, claim);
    if (pod !== undefined) throw running(`pod ${namespace}/${pod.metadata.name} uses claim ${claim}`);
  }
}

/** @throws DrError StandbyNotActive */
export function requireActive(standby: KubeObject): void {
  if (isActive(standby)) return;
  throw new DrError(
    'StandbyNotActive',
    `namespace ${standby.metadata.name} at the destination is not active`,
  );
}

function running(what: string): DrError {
  return new DrError('SourceRunning', `the application runs at the source: ${what}`);
}

function again(
  { cluster }: RemoteHandle,
  { metadata }: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject> {
  return cluster.client.get({ resource: wellKnown.namespaces, name: metadata.name }, { signal });
}

/** Failures are named from the side of the transfer; here its destination is the source. */
function fromTheSource(claim: string): (problem: DrError) => DrError {
  return (problem) => (problem.code === 'DestinationInUse' ? running(`claim ${claim} is in use`) : problem);
}
