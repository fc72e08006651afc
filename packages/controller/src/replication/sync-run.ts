import type { DrError } from '@dr-syncer/api';
import type PQueue from 'p-queue';

import { decidePrivilege, type PrivilegeEnd } from '@dr-syncer/identity';
import { type KubeObject, sleep } from '@dr-syncer/kube';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import type { RemoteHandle } from '../clusters/remote-clusters.js';
import type { Engine } from '../engine/index.js';
import { lossNews, privilegeCondition, privilegeNews } from '../volumes/identity-conditions.js';
import { claimsWithData } from '../volumes/selected-claims.js';
import { guardCondition } from '../volumes/guard/guard-status.js';
import type { CopyAtRestOptions } from './copy-at-rest.js';
import type { Way } from './copy-volume.js';
import { copyVolumes } from './copy-volumes.js';
import { outcomeOf, type SyncOutcome } from './outcome.js';
import type { ReplicationProgress } from './progress.js';
import { findSourceNamespace } from './source-namespace.js';
import { claimDestination, type ClaimedNamespace } from './standby.js';
import { whileStandby } from './while-standby.js';

export interface SyncRunOptions extends CopyAtRestOptions {
  readonly progress: ReplicationProgress;
  /** Volumes too, or the objects alone. */
  readonly volumes: boolean;
  readonly source: Cluster;
  readonly sourceAgents: Agents;
  readonly remote: RemoteHandle;
  /** The engine for the objects, to be given back at the end. */
  readonly engine: (claimed: ClaimedNamespace) => Promise<HeldEngine>;
  readonly passes: PQueue;
}

/** An object is written within moments; one that is not by then is reported as not there yet. */
const CATCH_UP_MS = 10_000;
const CATCH_UP_POLL_MS = 50;

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
  const sourceNamespace = await findSourceNamespace(source.client, route.sourceNamespace, signal);
  const claimed = await claimDestination(remote.cluster, replication, options, sourceNamespace, signal);
  tellPrivilege(options, sourceNamespace, claimed.namespace);
  const { engine, release } = await options.engine(claimed);
  try {
    await options.passes.add(() => engine.pass(signal));
    changed();
    let hooks: DrError | undefined;
    if (options.volumes) {
      const way = {
        direction: 'forward' as const,
        source: { cluster: source, agents: options.sourceAgents, namespace: sourceNamespace },
        destination: { cluster: remote.cluster, agents: remote.agents, namespace: claimed.namespace },
      };
      hooks = await whileStandby(remote.cluster.client, route.destinationNamespace, signal, (standby) =>
        syncVolumes(options, way, standby),
      );
    }
    await untilCaughtUp(engine, signal);
    signal.throwIfAborted();
    return outcomeOf(engine, progress.volumes, hooks);
  } finally {
    await release();
  }
}

/** Objects of a followed namespace that came while the rest was synced are on their way: the sync ends with them. */
async function untilCaughtUp({ tally }: Engine, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + CATCH_UP_MS;
  while (tally.pending > 0 && tally.failures === 0 && performance.now() < deadline) {
    await sleep(CATCH_UP_POLL_MS, signal);
  }
}

async function syncVolumes(
  options: SyncRunOptions,
  way: Way,
  signal: AbortSignal,
): Promise<DrError | undefined> {
  const { source, route, replication, progress, changed } = options;
  const claims = await claimsWithData(source, route.sourceNamespace, replication.spec, signal);
  progress.beginVolumes(claims);
  changed();
  const problem = await copyVolumes(options, claims, way, signal);
  signal.throwIfAborted();
  for (const news of lossNews(replication.status, progress.volumes)) options.tell(news);
  if (claims.length > 0) progress.condition(guardCondition(progress.volumes));
  return problem;
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
