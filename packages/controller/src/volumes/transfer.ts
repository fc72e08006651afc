import { DrError, isErrorCode, toDrError } from '@dr-syncer/api';
import { sleep } from '@dr-syncer/kube';
import type { Peer, TransferState } from '@dr-syncer/ssh';

import type { AgentEndpoint, Agents } from '../clusters/agents.js';
import { type Begun, beginTransfer, type TransferWay } from './begin-transfer.js';
import { followTransfer } from './follow-transfer.js';
import { CALL_MS, type TransferIds, transferIds, type VolumeTransfer } from './volume-transfer.js';

/** With a new key and grant each; those of one grant are the agent's own matter. */
const ATTEMPTS = 6;
const BACKOFF_MS = 1_000;
const BACKOFF_LONGEST_MS = 30_000;

export interface Transferred {
  readonly state: TransferState;
  readonly begun: Begun | undefined;
}

/**
 * Copies one volume: tries again when the cause may pass, and each try goes on from what the one before left. When the
 * signal's reason is LeadershipLost, the transfer is left at work for the controller that comes next.
 *
 * @returns the last state, whose phase is Succeeded, and what was known before, unless another process began it
 * @throws DrError what the agents say; what the guard says before anything is changed
 */
export async function transferVolume(transfer: VolumeTransfer, signal: AbortSignal): Promise<Transferred> {
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

/** The caller closes its endpoint. @throws DrError AgentUnreachable, AgentNotReady */
export async function openWay(
  { source, destination }: VolumeTransfer,
  signal: AbortSignal,
): Promise<TransferWay> {
  const [sender, receiver] = await Promise.all([
    source.agents.peer(source.volume.node, signal),
    destination.agents.peer(destination.volume.node, signal),
  ]);
  const from = await source.agents.sourceAddresses(source.volume.node, signal);
  const { node } = destination.volume;
  const endpoint =
    source.agents === destination.agents
      ? await destination.agents.endpointWithin(node, from, signal)
      : await destination.agents.endpoint(node, from, signal);
  return { sender, receiver, endpoint };
}

async function attemptTransfer(
  transfer: VolumeTransfer,
  ids: TransferIds,
  signal: AbortSignal,
): Promise<Transferred> {
  const { destination } = transfer;
  const way = await openWay(transfer, signal);
  const { sender, endpoint } = way;
  let running = false;
  try {
    running = await findRunning(sender, ids.id, endpoint, signal);
    const begun = running ? undefined : await beginTransfer(transfer, ids, way, signal);
    if (begun?.scope.scope === 'None') {
      await end(transfer, ids.id, signal);
      return { state: nothingToDo(ids.id, begun), begun };
    }
    keepPace(transfer, ids.id, signal);
    const state = await followTransfer(leavingDeadEnds(transfer, endpoint, signal), ids.id, sender, signal);
    await end(transfer, ids.id, signal);
    return { state: succeeded(state), begun };
  } catch (err) {
    if (!isDetached(signal)) await end(transfer, ids.id, signal);
    throw await afterRotation(err, running, destination.agents, endpoint, signal);
  } finally {
    endpoint.close();
  }
}

/** Both ends are as the last transfer left them. */
function nothingToDo(id: string, { startedAt, source }: Begun): TransferState {
  const none = { bytesDone: 0, bytesPerSecond: 0, filesTransferred: 0, filesDeleted: 0, literalBytes: 0 };
  return {
    ...{ id, phase: 'Succeeded', attempt: 1, startedAt, finishedAt: new Date().toISOString(), percent: 100 },
    ...{ ...none, bytesSent: 0, bytesReceived: 0, vanished: 0 },
    ...(source && { filesTotal: source.entries, bytesTotal: source.bytes }),
  };
}

/**
 * A host key that was not the one to expect is nothing to try again, unless the keys were replaced in order since the
 * transfer was told which to expect: the next attempt is told the new ones.
 */
async function afterRotation(
  err: unknown,
  running: boolean,
  agents: Agents,
  { hostKeys }: AgentEndpoint,
  signal: AbortSignal,
): Promise<unknown> {
  if (signal.aborted || !(err instanceof DrError) || err.code !== 'HostKeyMismatch') return err;
  // One that was found running was told by another process, nobody knows what.
  if (!running && !(await agents.isRotated(hostKeys, signal).catch(() => false))) return err;
  return new DrError('AgentUnreachable', `the host keys may have been replaced: ${err.message}`, {
    cause: err,
  });
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

/** Tells the destination's agent how fast this transfer may be, now and whenever others come or go. */
function keepPace({ share, destination }: VolumeTransfer, id: string, signal: AbortSignal): void {
  const tell = async (bytesPerSecond: number) => {
    const peer = await destination.agents.peer(destination.volume.node, signal);
    await peer.request('grants.pace', { id, bytesPerSecond }, { signal, timeoutMs: CALL_MS });
  };
  // A rate that was not told holds until the next one: nothing is lost but speed, or the limit for a moment.
  share.onChange = (rate) => void tell(rate).catch(() => undefined);
  if (share.bytesPerSecond !== undefined) share.onChange(share.bytesPerSecond);
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
