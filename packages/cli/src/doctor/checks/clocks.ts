import { duration } from '../../duration.js';
import { type Finding, problem, well } from '../problems.js';

/** A clock, and by how much it is ahead of the one of this machine (ms). */
export interface Clock {
  readonly whose: string;
  readonly aheadMs: number;
}

/** Grants live for minutes; what is less than this is found again in no error. */
const ALLOWED_MS = 30_000;

/** Also a clock, though none that anything depends on. */
export const OWN_CLOCK: Clock = { whose: 'this machine', aheadMs: 0 };

/** Those that differ from most others. Which clock is right nobody can say; which one stands alone, one can. Pure. */
export function judgeClocks(clocks: readonly Clock[]): Finding[] {
  const middle = median(clocks.map(({ aheadMs }) => aheadMs));
  if (middle === undefined) return [];
  const wrong = clocks.filter(({ aheadMs }) => Math.abs(aheadMs - middle) > ALLOWED_MS);
  if (wrong.length === 0) {
    return [well('clocks', `${clocks.length} clocks`, `within ${ALLOWED_MS / 1000} s of each other`)];
  }
  return wrong.map((clock) => {
    const { whose, aheadMs } = clock;
    const by = `${duration(Math.abs(aheadMs - middle) / 1000)} ${aheadMs > middle ? 'ahead of' : 'behind'}`;
    const at = { check: 'clocks', subject: whose };
    const finding = problem('ClockSkew', at, `its clock is ${by} most of the others`);
    return clock === OWN_CLOCK ? { ...finding, severity: 'note' } : finding;
  });
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
