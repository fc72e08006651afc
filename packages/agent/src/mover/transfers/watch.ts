import { setTimeout as sleep } from 'node:timers/promises';

import type { TransferState } from '@dr-syncer/ssh';

import type { Transfer } from './transfer.js';

/** No more often than this is a state sent on its way. */
const INTERVAL_MS = 250;

/**
 * Calls `emit` with the state now and after changes, one at a time, until the transfer has ended; returns the last state.
 *
 * @throws the signal's reason
 */
export async function watchTransfer(
  job: Transfer,
  emit: (state: TransferState) => Promise<unknown>,
  signal: AbortSignal,
): Promise<TransferState> {
  for (;;) {
    const { version } = job;
    const ended = job.endedAt !== undefined;
    await emit(job.state());
    if (ended) return job.state();
    await job.changed(version, signal);
    // The end is told at once, whatever the interval.
    await Promise.race([sleep(INTERVAL_MS), job.ended]);
  }
}
