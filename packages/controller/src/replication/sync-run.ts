import type PQueue from 'p-queue';

import { DrError, type Replication, toDrError } from '@dr-syncer/api';
import { decidePrivilege, type PrivilegeEnd } from '@dr-syncer/identity';
import { isNotFound, type KubeObject, kubeToDrError, wellKnown } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import type { RemoteHandle } from '../clusters/remote-clusters.js';
import type { Engine } from '../engine/index.js';
import { lossNews, type News, privilegeCondition, privilegeNews } from '../volumes/identity-conditions.js';
import type { MoverPolicy } from '../volumes/identities.js';
import { selectedClaims } from '../volumes/selected-claims.js';
import { guardCondition } from '../volumes/guard/guard-status.js';
import type { VolumeServices } from '../volumes/services.js';
import { syncVolume, type VolumeEnd } from '../volumes/sync-volume.js';
import { outcomeOf, type SyncOutcome } from './outcome.js';
import type { ReplicationProgress } from './progress.js';
import type { Route } from './rules.js';
import { claimDestination, type ClaimedNamespace } from './standby.js';
import { whileStandby } from './while-standby.js';

export interface SyncRunOptions {
  readonly replication: Replication;
  /** Names the sync: with the claim it makes the id of a transfer. */
  readonly request: string;
  /** Volumes too, or the objects alone. */
  readonly volumes: boolean;
  readonly route: Route;
  /** UID of the namespace kube-system of the source cluster. */
  readonly sourceId: string;
  readonly source: Cluster;
  readonly sourceAgents: Agents;
  readonly remote: RemoteHandle;
  readonly progress: ReplicationProgress;
  readonly changed: () => void;
  /** The engine for the objects, to be given back at the end. */
  readonly engine: (claimed: ClaimedNamespace) => Promise<HeldEngine>;
  readonly passes: PQueue;
  readonly volumeServices: VolumeServices;
  readonly policy: MoverPolicy;
  /** About the Replication. */
  readonly tell: (news: News) => void;
  readonly logger: Logger;
}

export interface HeldEngine {
  readonly engine: Engine;
  readonly release: () => Promise<void>;
}

/**
 * One sync of one namespace: namespace, objects, volumes. It does as much as can be done: an object or volume that
 * fails is named and the rest goes on; the outcome is good only when everything selected is there.
 *
 * @throws DrError when not even a part could be tried
 */
export async function syncNamespace(options: SyncRunOptions, signal: AbortSignal): Promise<SyncOutcome> {
  const { source, remote, route, replication, progress, changed } = options;
  const sourceNamespace = await sourceNamespaceOf(options, signal);
  const claimed = await claimDestination(remote.cluster, replication, options, sourceNamespace, signal);
  tellPrivilege(options, sourceNamespace, claimed.namespace);
  const { engine, release } = await options.engine(claimed);
  try {
    await options.passes.add(() => engine.pass(signal));
    changed();
    if (options.volumes) {
      const ends = {
        source: { cluster: source, agents: options.sourceAgents, namespace: sourceNamespace },
        destination: { cluster: remote.cluster, agents: remote.agents, namespace: claimed.namespace },
      };
      await whileStandby(remote.cluster.client, route.destinationNamespace, signal, (standby) =>
        syncVolumes(options, ends, standby),
      );
    }
    signal.throwIfAborted();
    return outcomeOf(engine, progress.volumes);
  } finally {
    await release();
  }
}

async function syncVolumes(
  options: SyncRunOptions,
  ends: { source: VolumeEnd; destination: VolumeEnd },
  signal: AbortSignal,
): Promise<void> {
  const { source, route, replication, progress, changed } = options;
  const claims = replication.spec.pvcConfig.includeData
    ? await selectedClaims(source, route.sourceNamespace, replication.spec, signal)
    : [];
  progress.beginVolumes(claims);
  changed();
  await Promise.all(claims.map((claim) => syncOne(options, claim, ends, signal)));
  signal.throwIfAborted();
  for (const news of lossNews(replication.status, progress.volumes)) options.tell(news);
  if (claims.length > 0) progress.condition(guardCondition(progress.volumes));
}

/** In status and events, at the start already: each volume decides anew when its turn comes. */
function tellPrivilege(
  { replication, policy, progress, tell }: SyncRunOptions,
  source: KubeObject,
  destination: KubeObject,
): void {
  const end = ({ metadata }: KubeObject): PrivilegeEnd => ({
    namespace: metadata.name,
    annotations: metadata.annotations ?? {},
  });
  const decision = decidePrivilege(end(source), end(destination), policy);
  const news = privilegeNews(replication.status, decision);
  progress.condition(privilegeCondition(decision));
  if (news) tell(news);
}

async function sourceNamespaceOf(
  { source, route }: SyncRunOptions,
  signal: AbortSignal,
): Promise<KubeObject> {
  try {
    return await source.client.get(
      { resource: wellKnown.namespaces, name: route.sourceNamespace },
      { signal },
    );
  } catch (err) {
    if (!isNotFound(err)) throw err;
    throw new DrError('SourceNamespaceNotFound', `namespace ${route.sourceNamespace} does not exist`);
  }
}

async function syncOne(
  options: SyncRunOptions,
  claim: string,
  ends: { source: VolumeEnd; destination: VolumeEnd },
  signal: AbortSignal,
): Promise<void> {
  const { progress, changed, replication, request, logger } = options;
  try {
    await syncVolume(
      {
        ...{ replication, request, claim, ...ends, direction: 'forward' },
        ...{ remote: options.route.remoteKey, services: options.volumeServices, owner: options.sourceId },
        policy: options.policy,
        onStatus: (fields) => {
          progress.volume(claim, fields);
          changed();
        },
      },
      signal,
    );
  } catch (err) {
    if (signal.aborted) return;
    const problem = kubeToDrError(toDrErrorOrKube(err));
    logger.warn('volume was not copied', { claim, err: problem });
    progress.volume(claim, {
      phase: 'Failed',
      reason: problem.code,
      message: `${problem.message}. ${problem.remedy}`,
    });
    changed();
  }
}

function toDrErrorOrKube(err: unknown): unknown {
  return err instanceof Error ? err : toDrError(err);
}
