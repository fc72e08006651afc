import { sleep } from '@dr-syncer/kube';

import { TimeoutFailure } from '../failure.js';
import { LiveLines } from '../screen.js';
import type { Surroundings } from '../surroundings.js';
import type { KeySubject } from './subject.js';
import { type RotationOrder, rotationState, type RotationState } from './state.js';

const LOOK_MS = 1_000;

export type Ended = Extract<RotationState, { state: 'ended' }>;

/** Until it has ended; shows on the way how far it is. @throws TimeoutFailure; KubeError */
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
      if (state.state === 'ended') return state;
      const line = `${subject.title}: ${state.text}`;
      if (live !== undefined) live.show([line]);
      else if (line !== told) around.err(`${line}\n`);
      told = line;
      if (performance.now() > until) {
        throw new TimeoutFailure(`not ended within ${timeoutS} s: ${line}. It goes on by itself.`);
      }
      await sleep(LOOK_MS, signal);
    }
  } finally {
    live?.clear();
  }
}
