/** First wait before another attempt, and the longest. */
const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

/**
 * How long to wait after this many failures in a row: doubled each time, and spread so that transfers that failed together
 * do not come back together.
 *
 * @param random 0..1
 */
export function backOffMs(failures: number, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1));
  return Math.round(full * (0.75 + 0.5 * random));
}
