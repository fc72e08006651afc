import { DrError, type ErrorCode } from '@dr-syncer/api';
import { sleep } from '@dr-syncer/kube';
import type { Peer, TransferState } from '@dr-syncer/ssh';

import type { VolumeTransfer } from './volume-transfer.js';

/** An agent that cannot be reached may be at work nevertheless. */
const LOST_MS = 10 * 60_000;
const LOST: readonly ErrorCode[] = ['AgentUnreachable', 'AgentNotReady', 'Timeout'];

/** Until the transfer has ended. A lost control connection is made anew: the transfer is the agent's and goes on. */
export async function followTransfer(
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
