import { DrError } from '@dr-syncer/api';
import { kubeToDrError, wellKnown } from '@dr-syncer/kube';
import PQueue from 'p-queue';

import { surveyOf } from '../volumes/begin-transfer.js';
import { claimsWithData } from '../volumes/selected-claims.js';
import { prepareVolume, type VolumeSync } from '../volumes/sync-volume.js';
import { CALL_MS, holderOf } from '../volumes/volume-transfer.js';
import { requireActive, requireRecord, type ReverseSyncOptions } from './reverse-sync.js';
import { findSourceNamespace } from './source-namespace.js';

const AT_A_TIME = 8;

/**
 * Finds out, before anybody stops anything, whether data could be taken back, and what the source has written since the last
 * sync: that is replaced by what the standby has. No data moves, and nothing is kept from running.
 *
 * @throws DrError StandbyNotActive, DestinationOwned, SourceNamespaceNotFound; KubeError
 */
export async function checkBack(options: ReverseSyncOptions, signal: AbortSignal): Promise<void> {
  const { replication, route, source, remote, progress, changed } = options;
  const home = await findSourceNamespace(source.client, route.sourceNamespace, signal);
  const standby = await remote.cluster.client.get(
    { resource: wellKnown.namespaces, name: route.destinationNamespace },
    { signal },
  );
  requireRecord(standby, options);
  requireActive(standby);
  const claims = await claimsWithData(source, route.sourceNamespace, replication.spec, signal);
  progress.beginVolumes(claims);
  changed();
  const ends = {
    source: { cluster: remote.cluster, agents: remote.agents, namespace: standby },
    destination: { cluster: source, agents: options.sourceAgents, namespace: home },
  };
  const queue = new PQueue({ concurrency: AT_A_TIME });
  await queue.addAll(claims.map((claim) => () => checkVolume(options, claim, ends, signal)));
  signal.throwIfAborted();
}

async function checkVolume(
  options: ReverseSyncOptions,
  claim: string,
  ends: Pick<VolumeSync, 'source' | 'destination'>,
  signal: AbortSignal,
): Promise<void> {
  const { replication, request, route, volumeServices, sourceId, policy, progress, changed } = options;
  try {
    const sync: VolumeSync = {
      ...{ replication, request, claim, ...ends, direction: 'reverse', policy },
      ...{ remote: route.remoteKey, services: volumeServices, owner: sourceId },
      onStatus: (fields) => {
        progress.volume(claim, fields);
        changed();
      },
    };
    const { from, to, identities } = await prepareVolume(sync, { exclusive: false }, signal);
    await requireWay(ends, { from: from.node, to: to.node }, signal);
    const agent = await ends.destination.agents.peer(to.node, signal);
    const holder = holderOf(replication, to.claim);
    const base = (await surveyOf(agent, to, identities.destination, signal, holder))?.base;
    // One that has changed is there as it is and gone as it was.
    const sourceChanges = base && Math.max(base.changed, base.removed);
    progress.volume(claim, { phase: 'Succeeded', ...(sourceChanges !== undefined && { sourceChanges }) });
  } catch (err) {
    if (signal.aborted) return;
    const problem = kubeToDrError(err);
    options.logger.warn('volume can not be taken back', { claim, err: problem });
    const message = `${problem.message}. ${problem.remedy}`;
    progress.volume(claim, { phase: 'Failed', reason: problem.code, message });
  }
  changed();
}

/** On the way back the remote's node connects to that of the source, which no sync needs. @throws DrError SourceUnreachable */
async function requireWay(
  { source, destination }: Pick<VolumeSync, 'source' | 'destination'>,
  nodes: { readonly from: string; readonly to: string },
  signal: AbortSignal,
): Promise<void> {
  const sender = await source.agents.peer(nodes.from, signal);
  const endpoint = await destination.agents.endpoint(nodes.to, [], signal);
  endpoint.close();
  const { host, port } = endpoint;
  const { ssh, problem = 'no answer' } = await sender.request(
    'ports.probe',
    { host, port },
    { signal, timeoutMs: CALL_MS },
  );
  if (ssh) return;
  throw new DrError(
    'SourceUnreachable',
    `node ${nodes.from} of the remote can't reach the agent of node ${nodes.to} of the source at ${host}, port ${port} (${problem})`,
  );
}
