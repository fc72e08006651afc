import { setTimeout as sleep } from 'node:timers/promises';

import { DrError } from '@dr-syncer/api';
import type { TransferOptions } from '@dr-syncer/ssh';

import { backOffMs } from './back-off.js';
import type { PushEnd } from './push.js';

/** An attempt that worked for this long has shown that the way is open: failures are counted from one again. */
const PROVEN_MS = 5 * 60_000;
/** Longest delay that setTimeout takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface AttemptsSpec {
  readonly attempts: TransferOptions['attempts'];
  readonly totalTimeoutSeconds: TransferOptions['totalTimeoutSeconds'];
  /** One attempt, to its end. Never rejects. */
  readonly run: (signal: AbortSignal) => Promise<PushEnd>;
  /** Before each attempt but the first; 2 for the second. */
  readonly onAttempt: (attempt: number) => void;
  /** This failed, and there will be another attempt. */
  readonly onWaiting: (error: DrError) => void;
}

/** Tries until it succeeds, fails for a cause that does not pass, or has failed too often. Never rejects. */
export async function withAttempts(spec: AttemptsSpec, outer: AbortSignal): Promise<PushEnd> {
  const total = totalTimeout(spec.totalTimeoutSeconds);
  const signal = AbortSignal.any([outer, total.signal]);
  try {
    for (let attempt = 1, failures = 0; ; attempt += 1) {
      if (attempt > 1) spec.onAttempt(attempt);
      const began = Date.now();
      const end = await spec.run(signal);
      failures = Date.now() - began > PROVEN_MS ? 1 : failures + 1;
      if (end.error === undefined || end.transient !== true || failures >= spec.attempts) return end;
      spec.onWaiting(end.error);
      try {
        await sleep(backOffMs(failures, Math.random()), undefined, { signal });
      } catch {
        return { ...end, error: signal.reason as DrError };
      }
    }
  } finally {
    total.clear();
  }
}

function totalTimeout(seconds: number): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController();
  if (seconds === 0) return { signal: controller.signal, clear: () => undefined };
  const error = new DrError('Timeout', `the transfer took longer than ${seconds} s`);
  const timer = setTimeout(() => controller.abort(error), Math.min(seconds * 1000, MAX_TIMER_MS));
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}
