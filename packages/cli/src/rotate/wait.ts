import { sleep } from '@dr-syncer/kube';

import { TimeoutFailure } from '../failure.js';
import { LiveLines } from '../screen.js';
import type { Surroundings } from '../surroundings.js';
import type { KeySubject } from './subject.js';
import { type RotationOrder, rotationState, type RotationState } from './state.js';

const LOOK_MS = 1_000;

export type Ended = Extract<RotationState, { state: 'ended' }>;

/**
 * Until it has ended, and every node was seen to refuse a revoked key; shows on the way how far it is. A node that has
 * not been seen to by the end of the time is in the result.
 *
 * @throws TimeoutFailure; KubeError
 */
export async function waitForRotation(
  around: Surroundings,
  subject: KeySubject,
  order: RotationOrder,
  timeoutS: number,
): Promise<Ended> {
  const { signal, errScreen } = around;
  const live = errScreen && new LiveLines(errScreen, (text) => around.err(text));
  const until = performance.now() + timeoutS * 1000;
  let told = '';
  try {
    for (;;) {
      const state = rotationState(await subject.read(signal), order);
      const isLate = performance.now() > until;
      if (state.state === 'ended' && (isLate || state.unconfirmed.length === 0)) return state;
      const line = `${subject.title}: ${textOf(state)}`;
      if (live !== undefined) live.show([line]);
      else if (line !== told) around.err(`${line}\n`);
      told = line;
      if (isLate) {
        throw new TimeoutFailure(`not ended within ${timeoutS} s: ${line}. It goes on by itself.`);
      }
      await sleep(LOOK_MS, signal);
    }
  } finally {
    live?.clear();
  }
}

function textOf(state: RotationState): string {
  if (state.state === 'goes on') return state.text;
  return `key: revoked, not yet seen to be refused by ${state.unconfirmed.join(', ')}`;
}
