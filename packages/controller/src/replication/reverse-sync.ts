import { DrError, type Replication } from '@dr-syncer/api';
import { isNotFound, type KubeClient, type KubeObject, kubeToDrError, wellKnown } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import type { RemoteHandle } from '../clusters/remote-clusters.js';
import { isActive, recordOf } from '../engine/index.js';
import type { MoverPolicy } from '../volumes/identities.js';
import { type Pod, workloadOf } from '../volumes/pods.js';
import { selectedClaims } from '../volumes/selected-claims.js';
import type { VolumeServices } from '../volumes/services.js';
import { syncVolume, type VolumeEnd } from '../volumes/sync-volume.js';
import type { SyncOutcome } from './outcome.js';
import type { ReplicationProgress } from './progress.js';
import type { Route } from './rules.js';
import { watched } from './while-standby.js';

export interface ReverseSyncOptions {
  readonly replication: Replication;
  readonly request: string;
  readonly route: Route;
  readonly source: Cluster;
  readonly sourceAgents: Agents;
  /** UID of the source cluster. */
  readonly sourceId: string;
  readonly remote: RemoteHandle;
  readonly volumeServices: VolumeServices;
  readonly policy: MoverPolicy;
  /** The volumes of this run alone. */
  readonly volumes: ReplicationProgress;
  readonly changed: () => void;
  readonly logger: Logger;
}

/**
 * Takes the data of the volumes back from the active standby, only what differs. Whoever runs at the source is safe:
 * nothing is written to a volume that a pod of the workload has, and all of it ends when one comes.
 *
 * @throws DrError StandbyNotActive, DestinationOwned, SourceRunning, SourceNamespaceNotFound; KubeError
 */
export async function syncBack(options: ReverseSyncOptions, signal: AbortSignal): Promise<SyncOutcome> {
  const { replication, route, source, remote, volumes, changed } = options;
  const { client } = source;
  const home = await namespaceOf(client, route.sourceNamespace, signal);
  const standby = await remote.cluster.client.get(
    { resource: wellKnown.namespaces, name: route.destinationNamespace },
    { signal },
  );
  requireOwnStandby(standby, options);
  const claims = replication.spec.pvcConfig.includeData
    ? await selectedClaims(source, route.sourceNamespace, replication.spec, signal)
    : [];
  const pods = await client.list<Pod>(wellKnown.pods, { namespace: route.sourceNamespace, signal });
  requireStopped(route.sourceNamespace, claims, pods.items);
  volumes.beginVolumes(claims);
  changed();
  const ends = {
    source: { cluster: remote.cluster, agents: remote.agents, namespace: standby },
    destination: { cluster: source, agents: options.sourceAgents, namespace: home },
  };
  const look = async (at: AbortSignal): Promise<void> => requireActive(await again(remote, standby, at));
  await watched(look, 'StandbyNotActive', signal, async (active) => {
    await Promise.all(claims.map((claim) => bringBack(options, claim, ends, active)));
    active.throwIfAborted();
  });
  return outcomeOf(volumes);
}

/**
 * Only from a standby that was made from this very source: the record on it says so. Pure.
 *
 * @throws DrError StandbyNotActive, DestinationOwned
 */
export function requireOwnStandby(
  standby: KubeObject,
  { replication, route, sourceId }: Pick<ReverseSyncOptions, 'replication' | 'route' | 'sourceId'>,
): void {
  const record = recordOf(standby);
  const key = `${replication.metadata.namespace}/${replication.metadata.name}`;
  const isOurs =
    record?.cluster === sourceId &&
    record.namespace === route.sourceNamespace &&
    record.replications[key] !== undefined;
  if (!isOurs) {
    throw new DrError(
      'DestinationOwned',
      `namespace ${standby.metadata.name} at the destination is not the standby of Replication ${key}`,
    );
  }
  requireActive(standby);
}

/** Pure. @throws DrError SourceRunning */
export function requireStopped(namespace: string, claims: readonly string[], pods: readonly Pod[]): void {
  for (const claim of claims) {
    const pod = workloadOf(pods, claim);
    if (pod !== undefined) throw running(`pod ${namespace}/${pod.metadata.name} uses claim ${claim}`);
  }
}

function requireActive(standby: KubeObject): void {
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

async function namespaceOf(client: KubeClient, name: string, signal: AbortSignal): Promise<KubeObject> {
  try {
    return await client.get({ resource: wellKnown.namespaces, name }, { signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
    throw new DrError('SourceNamespaceNotFound', `namespace ${name} does not exist`);
  }
}

async function bringBack(
  options: ReverseSyncOptions,
  claim: string,
  ends: { source: VolumeEnd; destination: VolumeEnd },
  signal: AbortSignal,
): Promise<void> {
  const { volumes, changed, replication, request, logger } = options;
  try {
    await syncVolume(
      {
        ...{ replication, request, claim, ...ends, direction: 'reverse' },
        ...{ remote: options.route.remoteKey, services: options.volumeServices, owner: options.sourceId },
        policy: options.policy,
        onStatus: (fields) => {
          volumes.volume(claim, fields);
          changed();
        },
      },
      signal,
    );
  } catch (err) {
    if (signal.aborted) return;
    const found = kubeToDrError(err);
    // Named from the side of the transfer; here its destination is the source.
    const problem = found.code === 'DestinationInUse' ? running(`claim ${claim} is in use`) : found;
    logger.warn('volume was not taken back', { claim, err: problem });
    const message = `${problem.message}. ${problem.remedy}`;
    volumes.volume(claim, { phase: 'Failed', reason: problem.code, message });
    changed();
  }
}

function outcomeOf({ volumes }: ReplicationProgress): SyncOutcome {
  const failed = volumes.filter(({ phase }) => phase !== 'Succeeded');
  const [first] = failed;
  if (first === undefined) {
    const message = `${volumes.length} volumes are as the standby has them.`;
    return { ok: true, reason: 'TakenBack', message, retry: false };
  }
  const message = `${failed.length} of ${volumes.length} volumes failed, first ${first.name}: ${first.message ?? ''}`;
  return { ok: false, reason: first.reason ?? 'SyncIncomplete', message, retry: false };
}
