import { backoffMs } from './backoff.js';
import { KubeError } from './kube-error.js';

const MAX_ATTEMPTS = 4;
const MAX_RETRY_AFTER_MS = 30_000;

/**
 * How long to wait before the next attempt of a call, or `undefined` when it must not be repeated.
 *
 * @param attempt attempts made so far, from 1
 * @param idempotent whether doing it twice has the effect of doing it once
 */
export function retryDelayMs(
  err: unknown,
  attempt: number,
  idempotent: boolean,
  random: () => number = Math.random,
): number | undefined {
  if (!(err instanceof KubeError) || attempt >= MAX_ATTEMPTS || !isSafe(err, idempotent)) return undefined;
  const own = backoffMs(attempt - 1, { minMs: 100, maxMs: 5000, random });
  if (err.retryAfterSeconds === undefined) return own;
  const asked = err.retryAfterSeconds * 1000;
  return asked > MAX_RETRY_AFTER_MS ? undefined : asked + own;
}

function isSafe(err: KubeError, idempotent: boolean): boolean {
  // Priority and fairness refuses before anything is done, so a 429 that says when to come back is always safe.
  if (err.status === 429) return err.retryAfterSeconds !== undefined || idempotent;
  if (err.status >= 500) return idempotent && err.status !== 501 && err.reason !== 'Invalid';
  if (err.reason === 'ConnectionFailed') return true;
  return err.reason === 'ConnectionReset' && idempotent;
}
