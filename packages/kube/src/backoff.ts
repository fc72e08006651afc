export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  readonly random?: () => number;
}

/**
 * The `attempt`-th wait (from 0) of an exponential back-off: doubled each time up to `maxMs`, then a random point in
 * the upper half of that, so that many clients that failed together don't come back together. Milliseconds.
 */
export function backoffMs(attempt: number, { minMs, maxMs, random = Math.random }: BackoffOptions): number {
  // 2 ** 1024 is Infinity and Infinity is fine for min(); shifting would overflow at 31 and go negative.
  const ceiling = Math.min(maxMs, minMs * 2 ** attempt);
  return Math.max(minMs, ceiling / 2 + (random() * ceiling) / 2);
}

/** `ms` spread evenly over ±`share` of it. */
export function jittered(ms: number, share: number, random: () => number = Math.random): number {
  return ms * (1 - share + 2 * share * random());
}
