import { DrError, type Replication, type VolumeStatus } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import { type MoverPolicy, requireIdentities } from './identities.js';
import { decideNow } from './identity-now.js';
import { identityStatus, lossesOf, lossesStatus } from './identity-status.js';
import { ensureMounted, type MountedVolume } from './mounts.js';
import { volumeProgress } from './progress.js';
import { transferVolume } from './transfer.js';

export interface VolumeEnd {
  readonly cluster: Cluster;
  readonly agents: Agents;
  readonly namespace: KubeObject;
}

export interface VolumeSync {
  readonly replication: Replication;
  readonly request: string;
  /** The claim's name, the same at both ends. */
  readonly claim: string;
  readonly source: VolumeEnd;
  readonly destination: VolumeEnd;
  readonly placeholderImage: string;
  readonly policy: MoverPolicy;
  /** Called with what has changed. */
  readonly onStatus: (fields: Partial<VolumeStatus>) => void;
}

/** Binding, scheduling and mounting; an image that has to be pulled is the longest part of it. */
const MOUNT_TIMEOUT_MS = 180_000;

/**
 * From claim to copy: identity, mounts at both ends, transfer.
 *
 * @throws DrError of the step that failed
 */
export async function syncVolume(sync: VolumeSync, signal: AbortSignal): Promise<void> {
  const { replication, request, claim, source, destination, onStatus } = sync;
  onStatus({ phase: 'Preparing' });
  const { decision, annotations } = await decideNow(sync, signal);
  onStatus({ identity: identityStatus(decision) });
  const identities = requireIdentities(decision);
  // What is certain; the modes of the root directories, once they are known, may save some.
  onStatus({ losses: lossesStatus(lossesOf(identities, { rootModesAgree: false })) });
  const mounted = (end: VolumeEnd, side: 'source' | 'destination'): Promise<MountedVolume> =>
    ensureMounted(
      {
        client: end.cluster.client,
        namespace: end.namespace.metadata.name,
        claim,
        placeholder: {
          image: sync.placeholderImage,
          identity: identities[side],
          annotations: annotations[side],
          readOnly: side === 'source',
        },
        timeoutMs: MOUNT_TIMEOUT_MS,
      },
      signal,
    );
  const [from, to] = await Promise.all([mounted(source, 'source'), mounted(destination, 'destination')]);
  if (!to.placeholder) {
    const where = `${destination.namespace.metadata.name}/${claim}`;
    throw new DrError(
      'DestinationInUse',
      `claim ${where} is mounted by a pod of the workload at the destination`,
    );
  }
  onStatus({ phase: 'Transferring', sourceNode: from.node, destinationNode: to.node });
  const state = await transferVolume(
    {
      ...{ replication, request, identities },
      source: { agents: source.agents, volume: from },
      destination: { agents: destination.agents, volume: to },
      onState: (progress) => onStatus(volumeProgress(progress)),
      onFacts: (facts) => onStatus({ losses: lossesStatus(lossesOf(identities, facts)) }),
    },
    signal,
  );
  const vanished =
    state.vanished === 0
      ? {}
      : { reason: 'FilesVanished', message: `${state.vanished} files vanished while being copied` };
  onStatus({
    ...volumeProgress(state),
    phase: 'Succeeded',
    // What the copy holds is what the source held when the transfer began.
    lastSuccessTime: state.startedAt ?? new Date().toISOString(),
    ...vanished,
  });
}
