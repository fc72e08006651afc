import { createHash } from 'node:crypto';

import { DrError, isErrorCode, type Replication, toDrError } from '@dr-syncer/api';
import { rootModesAgree } from '@dr-syncer/identity';
import { sleep } from '@dr-syncer/kube';
import type { Peer, TransferOptions, TransferState, VolumeRef } from '@dr-syncer/ssh';

import type { Agents } from '../clusters/agents.js';
import type { TransferIdentities } from './identities.js';
import type { MountedVolume } from './mounts.js';

export interface VolumeTransfer {
  readonly replication: Replication;
  /** Of the sync: with the claim it makes the transfer's id, by which a restarted controller finds it again. */
  readonly request: string;
  readonly source: { readonly agents: Agents; readonly volume: MountedVolume };
  readonly destination: { readonly agents: Agents; readonly volume: MountedVolume };
  readonly identities: TransferIdentities;
  /** `from=` of the grant instead of the addresses of the source node. */
  readonly sourceRanges: readonly string[] | undefined;
  readonly onState: (state: TransferState) => void;
}

const ATTEMPTS = 3;
const BACKOFF_MS = 2_000;
const CALL_MS = 30_000;
/** A grant outlives its transfer by this, so that the end of the transfer is what ends it. */
const GRANT_MARGIN_S = 300;
const UNLIMITED_S = 7 * 86_400;

/**
 * Copies one volume: tries again when the cause may pass, and each try goes on from what the one before left.
 *
 * @returns the last state, whose phase is Succeeded
 * @throws DrError what the agents say; SourceEmpty before anything is deleted
 */
export async function transferVolume(transfer: VolumeTransfer, signal: AbortSignal): Promise<TransferState> {
  const base = transferId(transfer);
  for (let attempt = 1; ; attempt += 1) {
    const id = attempt === 1 ? base : `${base}.${attempt}`;
    try {
      return await attemptTransfer(transfer, id, signal);
    } catch (err) {
      signal.throwIfAborted();
      const problem = toDrError(err);
      if (problem.kind !== 'retry' || attempt === ATTEMPTS) throw problem;
      await sleep(BACKOFF_MS * 2 ** (attempt - 1), signal);
    }
  }
}

function transferId({ replication, request, source }: VolumeTransfer): string {
  const text = `${replication.metadata.uid}/${source.volume.claim.metadata.uid ?? ''}/${request}`;
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}

function refOf(volume: MountedVolume): VolumeRef {
  return { podUid: volume.podUid, pvName: volume.pvName };
}

async function attemptTransfer(
  transfer: VolumeTransfer,
  id: string,
  signal: AbortSignal,
): Promise<TransferState> {
  const { source, destination } = transfer;
  const [sender, receiver] = await Promise.all([
    source.agents.peer(source.volume.node, signal),
    destination.agents.peer(destination.volume.node, signal),
  ]);
  const running = await findRunning(sender, id, signal);
  try {
    if (!running) await begin(transfer, id, sender, receiver, signal);
    return succeeded(await follow(transfer, id, sender, signal));
  } finally {
    await end(sender, receiver, id, signal);
  }
}

/** A transfer of this id that goes on, begun by this controller before it was restarted. */
async function findRunning(sender: Peer, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    const state = await sender.request('transfers.get', { id }, { signal, timeoutMs: CALL_MS });
    if (state.phase !== 'Failed' && state.phase !== 'Prepared') return true;
    await sender.request('transfers.forget', { id }, { signal, timeoutMs: CALL_MS });
    return false;
  } catch (err) {
    if (err instanceof DrError && err.code === 'TransferNotFound') return false;
    throw err;
  }
}

async function begin(
  { replication, source, destination, identities, sourceRanges }: VolumeTransfer,
  id: string,
  sender: Peer,
  receiver: Peer,
  signal: AbortSignal,
): Promise<void> {
  const call = { signal, timeoutMs: CALL_MS };
  const { pvcConfig } = replication.spec;
  const preserve = { devices: false, fileCapabilities: false };
  const [prepared, target, endpoint, addresses] = await Promise.all([
    sender.request(
      'transfers.prepare',
      { id, volume: refOf(source.volume), identity: identities.source },
      call,
    ),
    receiver.request('volumes.locate', refOf(destination.volume), call),
    destination.agents.endpoint(destination.volume.node, signal),
    sourceRanges ?? source.agents.sourceAddresses(source.volume.node, signal),
  ]);
  if (prepared.volume.empty && !target.empty) {
    throw new DrError(
      'SourceEmpty',
      `the volume of claim ${source.volume.claim.metadata.name} is empty, its copy is not`,
    );
  }
  const lifetime = (pvcConfig.timeoutSeconds === 0 ? UNLIMITED_S : pvcConfig.timeoutSeconds) + GRANT_MARGIN_S;
  const grant = await receiver.request(
    'grants.open',
    {
      id,
      publicKey: prepared.publicKey,
      volume: refOf(destination.volume),
      direction: 'write',
      allowDelete: true,
      from: [...addresses],
      expiresAt: new Date(Date.now() + lifetime * 1000).toISOString(),
      identity: identities.destination,
      preserve,
    },
    call,
  );
  const options: TransferOptions = {
    delete: true,
    excludePaths: pvcConfig.excludePaths ?? [],
    bandwidthLimitKiB: pvcConfig.bandwidthLimit,
    stallTimeoutSeconds: pvcConfig.stallTimeoutSeconds,
    totalTimeoutSeconds: pvcConfig.timeoutSeconds,
    checksum: false,
    ...preserve,
  };
  const { host, port, hostKeys } = endpoint;
  await sender.request(
    'transfers.start',
    {
      id,
      destination: {
        ...{ host, port, hostKeys: [...hostKeys], path: grant.path },
        identity: identities.destination,
        rootModesAgree: rootModesAgree(prepared.volume.rootMode, target.rootMode, identities.destination),
      },
      options,
    },
    call,
  );
}

/** Until the transfer has ended. A lost control connection is made anew: the transfer is the agent's and goes on. */
async function follow(
  { source, onState }: VolumeTransfer,
  id: string,
  first: Peer,
  signal: AbortSignal,
): Promise<TransferState> {
  for (let peer = first, lost = 0; ;) {
    const stop = peer.on('transfer', (state) => {
      if (state.id === id) onState(state);
    });
    try {
      const state = await peer.request('transfers.watch', { id }, { signal, timeoutMs: 0 });
      onState(state);
      return state;
    } catch (err) {
      signal.throwIfAborted();
      lost += 1;
      if (!(err instanceof DrError) || err.code !== 'AgentUnreachable' || lost > 20) throw err;
      await sleep(Math.min(500 * lost, 5_000), signal);
      peer = await source.agents.peer(source.volume.node, signal);
    } finally {
      stop();
    }
  }
}

function succeeded(state: TransferState): TransferState {
  if (state.phase === 'Succeeded') return state;
  const { code, message } = state.error ?? {
    code: 'TransferFailed',
    message: `rsync ended with ${String(state.exitCode)}`,
  };
  throw new DrError(isErrorCode(code) ? code : 'TransferFailed', message);
}

/** Takes the grant and the job away. Failing here must not hide how the transfer ended: both run out by themselves. */
async function end(sender: Peer, receiver: Peer, id: string, signal: AbortSignal): Promise<void> {
  // Also when the sync is cancelled: that is when it matters that the transfer ends.
  const call = { timeoutMs: signal.aborted ? 2_000 : CALL_MS };
  await Promise.allSettled([
    receiver.request('grants.close', { id }, call),
    sender.request('transfers.forget', { id }, call),
  ]);
}
