import { createHash } from 'node:crypto';

import { DrError, type ErrorCode, isErrorCode, type Replication, toDrError } from '@dr-syncer/api';
import { rootModesAgree } from '@dr-syncer/identity';
import { sleep } from '@dr-syncer/kube';
import type { Peer, TransferOptions, TransferState, VolumeRef } from '@dr-syncer/ssh';

import type { AgentEndpoint, Agents } from '../clusters/agents.js';
import type { TransferIdentities } from './identities.js';
import type { MountedVolume } from './mounts.js';

export interface VolumeTransfer {
  readonly replication: Replication;
  /** Of the sync: with the claim it makes the transfer's id, by which a restarted controller finds it again. */
  readonly request: string;
  readonly source: { readonly agents: Agents; readonly volume: MountedVolume };
  readonly destination: { readonly agents: Agents; readonly volume: MountedVolume };
  readonly identities: TransferIdentities;
  readonly onState: (state: TransferState) => void;
  /** Called when it is known what decides which attributes travel. */
  readonly onFacts: (facts: { readonly rootModesAgree: boolean }) => void;
}

/** With a new key and grant each; those of one grant are the agent's own matter. */
const ATTEMPTS = 6;
const BACKOFF_MS = 1_000;
const BACKOFF_LONGEST_MS = 30_000;
/** Attempts of the agent on one grant: about five minutes without a connection. */
const AGENT_ATTEMPTS = 9;
const CALL_MS = 30_000;
/** A grant outlives its transfer by this, so that the end of the transfer is what ends it. */
const GRANT_MARGIN_S = 300;
/** What an agent grants at most. */
const GRANT_LONGEST_S = 7 * 86_400 - 60;
/** An agent that cannot be reached may be at work nevertheless. */
const LOST_MS = 10 * 60_000;
const LOST: readonly ErrorCode[] = ['AgentUnreachable', 'AgentNotReady', 'Timeout'];

/**
 * Copies one volume: tries again when the cause may pass, and each try goes on from what the one before left. When the
 * signal's reason is LeadershipLost, the transfer is left at work for the controller that comes next.
 *
 * @returns the last state, whose phase is Succeeded
 * @throws DrError what the agents say; SourceEmpty before anything is deleted
 */
export async function transferVolume(transfer: VolumeTransfer, signal: AbortSignal): Promise<TransferState> {
  const ids = transferIds(transfer);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptTransfer(transfer, ids, signal);
    } catch (err) {
      signal.throwIfAborted();
      const problem = toDrError(err);
      if (problem.kind !== 'retry' || attempt === ATTEMPTS) throw problem;
      const wait = Math.min(BACKOFF_LONGEST_MS, BACKOFF_MS * 2 ** (attempt - 1));
      await sleep(wait * (0.75 + 0.5 * Math.random()), signal);
    }
  }
}

interface TransferIds {
  /** Of this Replication and claim, whatever the request: who the volume belongs to while it is copied. */
  readonly holder: string;
  readonly id: string;
}

function transferIds({ replication, request, source }: VolumeTransfer): TransferIds {
  const holder = digest(`${replication.metadata.uid}/${source.volume.claim.metadata.uid ?? ''}`);
  return { holder, id: `${holder}.${digest(request)}` };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 20);
}

function refOf(volume: MountedVolume): VolumeRef {
  return { podUid: volume.podUid, pvName: volume.pvName };
}

async function attemptTransfer(
  transfer: VolumeTransfer,
  ids: TransferIds,
  signal: AbortSignal,
): Promise<TransferState> {
  const { source, destination } = transfer;
  const [sender, receiver] = await Promise.all([
    source.agents.peer(source.volume.node, signal),
    destination.agents.peer(destination.volume.node, signal),
  ]);
  const from = await source.agents.sourceAddresses(source.volume.node, signal);
  const endpoint = await destination.agents.endpoint(destination.volume.node, from, signal);
  try {
    const running = await findRunning(sender, ids.id, endpoint, signal);
    if (!running) await begin(transfer, ids, sender, receiver, endpoint, signal);
    const state = await follow(leavingDeadEnds(transfer, endpoint, signal), ids.id, sender, signal);
    await end(transfer, ids.id, signal);
    return succeeded(state);
  } catch (err) {
    if (!isDetached(signal)) await end(transfer, ids.id, signal);
    throw err;
  } finally {
    endpoint.close();
  }
}

/**
 * The agent keeps trying the way that it was given. Where it never got through and there is another way, it is stopped,
 * and the next attempt goes there.
 */
function leavingDeadEnds(
  transfer: VolumeTransfer,
  endpoint: AgentEndpoint,
  signal: AbortSignal,
): VolumeTransfer {
  const { source } = transfer;
  let told = false;
  const leave = async (id: string) => {
    const peer = await source.agents.peer(source.volume.node, signal);
    await peer.request('transfers.cancel', { id }, { signal, timeoutMs: CALL_MS });
  };
  const onState = (state: TransferState) => {
    transfer.onState(state);
    if (told || state.firstByteAt !== undefined || state.error?.code !== 'AgentUnreachable') return;
    told = true;
    // A stop that does not arrive costs the time that the agent goes on trying, and nothing else.
    if (endpoint.failed(state.error.message)) leave(state.id).catch(() => undefined);
  };
  return { ...transfer, onState };
}

/** This process ends or leads no more; who comes next asks for the transfer by its id. */
function isDetached(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof DrError && signal.reason.code === 'LeadershipLost';
}

/**
 * A transfer of this id that goes on or is done, begun by this controller before it was restarted. One whose data went
 * through that process has lost its way and is begun anew.
 */
async function findRunning(
  sender: Peer,
  id: string,
  { relayed }: AgentEndpoint,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const state = await sender.request('transfers.get', { id }, { signal, timeoutMs: CALL_MS });
    const goesOn = state.phase === 'Succeeded' || !relayed;
    if (state.phase !== 'Failed' && state.phase !== 'Prepared' && goesOn) return true;
    await sender.request('transfers.forget', { id }, { signal, timeoutMs: CALL_MS });
    return false;
  } catch (err) {
    if (err instanceof DrError && err.code === 'TransferNotFound') return false;
    throw err;
  }
}

async function begin(
  { replication, source, destination, identities, onFacts }: VolumeTransfer,
  { id, holder }: TransferIds,
  sender: Peer,
  receiver: Peer,
  endpoint: AgentEndpoint,
  signal: AbortSignal,
): Promise<void> {
  const call = { signal, timeoutMs: CALL_MS };
  const { pvcConfig } = replication.spec;
  const { preserve, idMap, origins } = identities;
  const [prepared, target] = await Promise.all([
    sender.request(
      'transfers.prepare',
      { id, holder, volume: refOf(source.volume), identity: identities.source, origins: origins.source },
      call,
    ),
    receiver.request('volumes.locate', refOf(destination.volume), call),
  ]);
  if (prepared.volume.empty && !target.empty) {
    throw new DrError(
      'SourceEmpty',
      `the volume of claim ${source.volume.claim.metadata.name} is empty, its copy is not`,
    );
  }
  const asked = pvcConfig.timeoutSeconds === 0 ? Number.POSITIVE_INFINITY : pvcConfig.timeoutSeconds;
  const lifetime = Math.min(GRANT_LONGEST_S, asked + GRANT_MARGIN_S);
  const grant = await receiver.request(
    'grants.open',
    {
      id,
      publicKey: prepared.publicKey,
      volume: refOf(destination.volume),
      direction: 'write',
      allowDelete: true,
      from: [...endpoint.from],
      expiresAt: new Date(Date.now() + lifetime * 1000).toISOString(),
      identity: identities.destination,
      origins: origins.destination,
      idMap,
      preserve,
      holder,
      streams: 1,
    },
    call,
  );
  const facts = {
    rootModesAgree: rootModesAgree(prepared.volume.rootMode, target.rootMode, identities.destination),
  };
  onFacts(facts);
  const options: TransferOptions = {
    delete: true,
    excludePaths: pvcConfig.excludePaths ?? [],
    bandwidthLimitKiB: pvcConfig.bandwidthLimit,
    startTimeoutSeconds: pvcConfig.startTimeoutSeconds,
    stallTimeoutSeconds: pvcConfig.stallTimeoutSeconds,
    attempts: AGENT_ATTEMPTS,
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
        ...facts,
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
  let heard = performance.now();
  for (let peer: Peer | undefined = first, lost = 0; ;) {
    try {
      peer ??= await source.agents.peer(source.volume.node, signal);
      const state = await watch(peer, id, signal, (progress) => {
        heard = performance.now();
        onState(progress);
      });
      onState(state);
      return state;
    } catch (err) {
      signal.throwIfAborted();
      lost += 1;
      peer = undefined;
      if (!(err instanceof DrError) || !LOST.includes(err.code) || performance.now() - heard > LOST_MS)
        throw err;
      await sleep(Math.min(500 * lost, 5_000), signal);
    }
  }
}

async function watch(
  peer: Peer,
  id: string,
  signal: AbortSignal,
  onState: (state: TransferState) => void,
): Promise<TransferState> {
  const stop = peer.on('transfer', (state) => {
    if (state.id === id) onState(state);
  });
  try {
    return await peer.request('transfers.watch', { id }, { signal, timeoutMs: 0 });
  } finally {
    stop();
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
async function end({ source, destination }: VolumeTransfer, id: string, signal: AbortSignal): Promise<void> {
  // Also when the sync is cancelled: that is when it matters that the transfer ends.
  const timeoutMs = signal.aborted ? 2_000 : CALL_MS;
  const within = AbortSignal.timeout(timeoutMs);
  // Maybe not the connections that it began with: those may be gone.
  const closeGrant = async () => {
    const peer = await destination.agents.peer(destination.volume.node, within);
    await peer.request('grants.close', { id }, { timeoutMs });
  };
  const forgetJob = async () => {
    const peer = await source.agents.peer(source.volume.node, within);
    await peer.request('transfers.forget', { id }, { timeoutMs });
  };
  await Promise.allSettled([closeGrant(), forgetJob()]);
}
