import { DrError } from '@dr-syncer/api';
import type { TransferState } from '@dr-syncer/ssh';

import type { Transfer } from './transfer.js';

/**
 * A transfer of the mover before this one. Its processes ended with that mover, so what had not ended by then has been
 * interrupted: the next attempt, with a key and grant of its own, goes on from the partial files.
 */
export class RestoredTransfer implements Transfer {
  readonly id: string;
  readonly endedAt: number;
  readonly createdAt: number;
  readonly isRunning = false;
  readonly version = 0;
  readonly ended: Promise<TransferState>;
  readonly #state: TransferState;

  constructor(last: TransferState) {
    this.#state = isOver(last) ? last : interrupted(last);
    this.id = last.id;
    this.endedAt = Date.parse(this.#state.finishedAt ?? '') || Date.now();
    this.createdAt = this.endedAt;
    this.ended = Promise.resolve(this.#state);
  }

  state(): TransferState {
    return this.#state;
  }

  changed(): Promise<void> {
    return Promise.reject(new DrError('Internal', 'a transfer that has ended changes no more'));
  }

  cancel(): Promise<TransferState> {
    return this.ended;
  }
}

function isOver({ phase }: TransferState): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

function interrupted(last: TransferState): TransferState {
  const { etaSeconds, ...rest } = last;
  const done = last.bytesDone > 0 && etaSeconds !== undefined ? `, about ${etaSeconds} s before its end` : '';
  return {
    ...rest,
    phase: 'Failed',
    bytesPerSecond: 0,
    finishedAt: new Date().toISOString(),
    error: {
      code: 'TransferInterrupted',
      message: `the mover of the source node was restarted during the transfer${done}`,
    },
  };
}
