import { HEALTHY_MS } from './pace.js';

/** A look that took all steps and found nothing wrong. Times are `performance.now()`. */
export interface WholeLook {
  /** Everything that the outcome depended on and that tells when it changes. */
  readonly basis: string;
  /** All of them have an agent that answered. */
  readonly nodes: readonly string[];
  /** When something falls due: the next whole look, a token, a key. */
  readonly until: number;
  /** Of the last look, a quick one too. */
  at: number;
}

/** What nobody is told of is found by then: a Secret or the DaemonSet changed in the remote, a node that was added. */
export const WHOLE_MS = 15 * 60_000;

/**
 * Whether it is enough to ask the API server and the agents that are known whether they are there: nothing that is
 * watched has changed since all was well, and this look comes because of the time alone. One that comes earlier was
 * asked for by somebody who has seen something.
 */
export function isQuick(last: WholeLook | undefined, basis: string, now: number): last is WholeLook {
  return (
    last !== undefined &&
    last.basis === basis &&
    now < last.until &&
    now - last.at >= HEALTHY_MS * EARLY_SHARE
  );
}

/** The wait between looks is HEALTHY_MS, give or take a fifth. */
const EARLY_SHARE = 0.75;
