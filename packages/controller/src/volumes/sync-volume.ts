import { DrError, type ErrorCode, type Identity, type Replication, type VolumeStatus } from '@dr-syncer/api';
import { type KubeObject, sleep } from '@dr-syncer/kube';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import { readCopyRecord } from './guard/copy-record.js';
import { copyOf, type Direction, guardRecord, originalOf, withStop } from './guard/roles.js';
import { rememberCopy } from './guard/remember.js';
import { type MoverPolicy, requireIdentities, type TransferIdentities } from './identities.js';
import { decideNow } from './identity-now.js';
import { identityStatus, type Losses, lossesOf, lossesStatus } from './identity-status.js';
import { ensureMounted, type MountedVolume } from './mounts.js';
import { applyPermissions, needsPermissions, permissionsLosses, permissionsStatus } from './permissions.js';
import { scopeStatus, volumeProgress } from './progress.js';
import { watchHolders } from './placeholders/holder-watch.js';
import type { Placed } from './scheduler/volume-scheduler.js';
import type { VolumeServices } from './services.js';
import { CopyDiffers, settle } from './surveys/settle.js';
import { type Transferred, transferVolume } from './transfer.js';
import { CALL_MS, refOf, type VolumeTransfer } from './volume-transfer.js';

export interface VolumeEnd {
  readonly cluster: Cluster;
  readonly agents: Agents;
  readonly namespace: KubeObject;
}

export interface VolumeSync {
  readonly replication: Replication;
  readonly request: string;
  /** Tells transfers of one request and claim apart, where there are several. */
  readonly pass?: string;
  /** Reverse: `source` is the active standby, and what was the source takes its data back. */
  readonly direction: Direction;
  /** The claim's name, the same at both ends. */
  readonly claim: string;
  /** `namespace/name` of the RemoteCluster. */
  readonly remote: string;
  readonly services: VolumeServices;
  /** UID of the source cluster. */
  readonly owner: string;
  readonly source: VolumeEnd;
  readonly destination: VolumeEnd;
  readonly policy: MoverPolicy;
  /** Called with what has changed. */
  readonly onStatus: (fields: Partial<VolumeStatus>) => void;
}

/** Binding, scheduling and mounting; an image that has to be pulled is the longest part of it. */
const MOUNT_TIMEOUT_MS = 180_000;

/** A volume that is not where it was when the sync began. */
const MOVED: readonly ErrorCode[] = ['VolumeNotMounted', 'VolumeNotFound'];
const ATTEMPTS = 3;
const MOVED_WAIT_MS = 1_000;

export interface Prepared extends Placed {
  readonly identities: TransferIdentities;
  readonly from: MountedVolume;
  readonly to: MountedVolume;
}

/**
 * From claim to copy, when it is its turn: identity, mounts at both ends, transfer.
 *
 * @throws DrError of the step that failed
 */
export async function syncVolume(sync: VolumeSync, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await syncOnce(sync, signal);
      return;
    } catch (err) {
      signal.throwIfAborted();
      // Its pod has ended, or was moved to another node: it is mounted somewhere else now, or will be.
      if (!(err instanceof DrError) || !MOVED.includes(err.code) || attempt === ATTEMPTS) throw err;
      await sleep(MOVED_WAIT_MS, signal);
    }
  }
}

async function syncOnce(sync: VolumeSync, signal: AbortSignal): Promise<void> {
  const { replication, claim, remote, source, destination } = sync;
  await sync.services.scheduler.run(
    {
      volume: `${remote}/${destination.namespace.metadata.name}/${claim}`,
      remote,
      namespace: source.namespace.metadata.name,
      priority: replication.spec.pvcConfig.priority,
      prepare: () => prepareVolume(sync, { exclusive: true }, signal),
      transfer: (prepared) => transferWhileHeld(sync, prepared, signal),
    },
    signal,
  );
}

/**
 * Works out the identities and has the volume mounted at both ends.
 *
 * @param options.exclusive nobody of the workload may have the volume of the destination: it will be written to
 * @throws DrError of the step that failed
 */
export async function prepareVolume(
  sync: VolumeSync,
  { exclusive }: { readonly exclusive: boolean },
  signal: AbortSignal,
): Promise<Prepared> {
  const { claim, source, destination, onStatus } = sync;
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
        exclusive: exclusive && side === 'destination',
        placeholder: {
          image: sync.services.placeholderImage,
          owner: sync.owner,
          identity: identities[side],
          annotations: annotations[side],
          readOnly: side === 'source',
          agentsOwner: end.agents.ownerLabel,
        },
        onPlaceholder: () => sync.services.keeper.made(end.cluster.client),
        timeoutMs: MOUNT_TIMEOUT_MS,
      },
      signal,
    );
  const [from, to] = await Promise.all([mounted(source, 'source'), mounted(destination, 'destination')]);
  return { identities, from, to, sourceNode: from.node, destinationNode: to.node };
}

/** The transfer, for as long as the pods are there that the volumes are mounted by. */
async function transferWhileHeld(sync: VolumeSync, prepared: Prepared, outer: AbortSignal): Promise<void> {
  const { source, destination, services } = sync;
  const { from, to } = prepared;
  const held = new AbortController();
  const signal = AbortSignal.any([outer, held.signal]);
  const release = [from, to].map(({ podUid }) => services.keeper.use(podUid));
  const end = ({ cluster, namespace }: VolumeEnd, volume: MountedVolume, exclusive: boolean) => ({
    ...{ client: cluster.client, namespace: namespace.metadata.name, volume, exclusive },
  });
  const watching = watchHolders(
    [end(source, from, false), end(destination, to, true)],
    (problem) => held.abort(problem),
    signal,
  );
  try {
    await transfer(sync, prepared, signal);
  } finally {
    held.abort();
    for (const done of release) done();
    await watching;
  }
}

async function transfer(
  sync: VolumeSync,
  { identities, from, to }: Prepared,
  signal: AbortSignal,
): Promise<void> {
  const { replication, request, source, destination, onStatus } = sync;
  onStatus({ phase: 'Transferring', sourceNode: from.node, destinationNode: to.node });
  let losses = lossesStatus(lossesOf(identities, { rootModesAgree: false }));
  const share = sync.services.bandwidth.join(sync.remote, replication.spec.pvcConfig.bandwidthLimit);
  const record = guardRecord(sync.direction, { from, to });
  const volume: VolumeTransfer = {
    ...{ replication, request, identities, share, record, streams: sync.services.streams },
    ...(sync.pass !== undefined && { pass: sync.pass }),
    source: { agents: source.agents, volume: from },
    destination: { agents: destination.agents, volume: to },
    byContent: readCopyRecord(copyOf(sync.direction, sync, { from, to }).volume.claim)?.differs === true,
    onStopped: (stopped) => rememberStop(sync, { from, to }, stopped, signal),
    onState: (progress) => onStatus(volumeProgress(progress)),
    onFacts: (facts) => {
      losses = lossesStatus(lossesOf(identities, facts));
      onStatus({ losses });
    },
  };
  const transferred = await transferVolume(volume, signal).finally(() => share.leave());
  const { state } = transferred;
  losses = [...losses, ...(await setPermissions(sync, identities.destination, to, state.id, signal))];
  onStatus({ losses });
  const touched = needsPermissions(identities.destination);
  onStatus(scopeStatus(transferred));
  try {
    onStatus({ phase: 'Verifying' });
    onStatus({ verification: await settle(volume, transferred, touched, signal) });
  } catch (err) {
    if (err instanceof CopyDiffers) {
      onStatus({ verification: err.verification });
      await rememberDifference(sync, { from, to }, signal);
    }
    throw err;
  }
  await remember(sync, { from, to }, transferred, signal);
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

/** Group, modes and label of what arrived. @returns what could not be kept in doing so */
async function setPermissions(
  { destination, onStatus }: VolumeSync,
  identity: Identity,
  volume: MountedVolume,
  id: string,
  signal: AbortSignal,
): Promise<Losses> {
  if (!needsPermissions(identity)) return [];
  onStatus({ phase: 'SettingPermissions' });
  const state = await applyPermissions(
    {
      ...{ id, volume, identity },
      peer: (node, within) => destination.agents.peer(node, within),
      onState: (progress) => onStatus({ permissions: permissionsStatus(progress) }),
    },
    signal,
  );
  return permissionsLosses(state);
}

type Volumes = Pick<Prepared, 'from' | 'to'>;

/** For the guard of the next run; both ends hold the same now, whichever way the data went. */
async function remember(
  sync: VolumeSync,
  volumes: Volumes,
  { state, begun }: Transferred,
  signal: AbortSignal,
): Promise<void> {
  // A transfer of what has changed counts nothing else.
  const survey = state.scope === 'Changed' ? begun?.source : undefined;
  const [files, bytes] = [survey?.entries ?? state.filesTotal, survey?.bytes ?? state.bytesTotal];
  const original = originalOf(sync.direction, sync, volumes);
  const copy = copyOf(sync.direction, sync, volumes);
  const agent = await original.end.agents.peer(original.volume.node, signal);
  const { rootId } = await agent.request('volumes.locate', refOf(original.volume), {
    ...{ signal, timeoutMs: CALL_MS },
  });
  const counts = files === undefined || bytes === undefined ? {} : { counts: { files, bytes } };
  const record = { pv: original.volume.pvName, root: rootId, ...counts };
  await rememberCopy(copy.end.cluster.client, copy.volume.claim, record, signal);
}

/** What was found out by comparing contents is put right by comparing contents. */
async function rememberDifference(sync: VolumeSync, volumes: Volumes, signal: AbortSignal): Promise<void> {
  const { end, volume } = copyOf(sync.direction, sync, volumes);
  const record = { ...readCopyRecord(volume.claim), differs: true };
  await rememberCopy(end.cluster.client, volume.claim, record, signal);
}

async function rememberStop(
  sync: VolumeSync,
  volumes: Volumes,
  stopped: { run: string; code: string },
  signal: AbortSignal,
): Promise<void> {
  const { end, volume } = copyOf(sync.direction, sync, volumes);
  const record = withStop(sync.direction, volume.claim, stopped);
  await rememberCopy(end.cluster.client, volume.claim, record, signal);
}
