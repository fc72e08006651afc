import { DrError, type Replication, type VolumeStatus } from '@dr-syncer/api';
import type { PrivilegePolicy } from '@dr-syncer/identity';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import { identityText, transferIdentities } from './identities.js';
import { ensureMounted, type MountedVolume, type Pod, workloadPods } from './mounts.js';
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
  readonly policy: PrivilegePolicy;
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
  const { items: pods } = await source.cluster.client.list<Pod>(wellKnown.pods, {
    namespace: source.namespace.metadata.name,
    signal,
  });
  const identities = transferIdentities({
    replication,
    sourceNamespace: source.namespace,
    destinationNamespace: destination.namespace,
    workloads: workloadPods(pods, claim),
    policy: sync.policy,
  });
  onStatus({
    identity: {
      source: identityText(identities.source),
      destination: identityText(identities.destination),
      origin: identities.origin,
    },
  });
  const mounted = (
    end: VolumeEnd,
    identity: typeof identities.source,
    readOnly: boolean,
  ): Promise<MountedVolume> =>
    ensureMounted(
      {
        client: end.cluster.client,
        namespace: end.namespace.metadata.name,
        claim,
        placeholder: { image: sync.placeholderImage, identity, readOnly },
        timeoutMs: MOUNT_TIMEOUT_MS,
      },
      signal,
    );
  const [from, to] = await Promise.all([
    mounted(source, identities.source, true),
    mounted(destination, identities.destination, false),
  ]);
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
