import type { DrError } from '@dr-syncer/api';
import { backoffMs } from '@dr-syncer/kube';

import type { Item } from './ledger.js';

/** What of an object says when it may be tried again. Times are those of `performance.now()`. */
export type Paced = Pick<Item, 'attempts' | 'notBefore' | 'writtenAt' | 'failure'>;

export interface RepairPace {
  readonly minMs: number;
  readonly maxMs: number;
}

/** An object that changes all the time is written at most this often. */
const REST_MS = 200;
const RETRY = { minMs: 1_000, maxMs: 5 * 60_000 } as const;
const WAIT_RETRY_MS = 60_000;
/** Who changes an object back each time is let win for longer and longer, so that two never fight. */
const REPAIR: RepairPace = { minMs: 10_000, maxMs: 60 * 60_000 };
/** A repair that held for this long is forgotten. */
const REPAIR_MEMORY_MS = 10 * 60_000;

/** How long it still has to rest since it was written, ms; 0: no longer. */
export function restMs({ writtenAt }: Paced, now: number): number {
  return Math.max(0, writtenAt + REST_MS - now);
}

/** Begins a repair if it is time: the first is made at once, each further one later and later. */
export function beginRepair(item: Paced, now: number, pace = REPAIR): boolean {
  if (item.attempts > 0 && now < item.notBefore) return false;
  item.notBefore = now + backoffMs(item.attempts, pace);
  item.attempts += 1;
  return true;
}

/** What was tried before no longer counts: it was written as the source is, or what had been in the way is not there. */
export function startAnew(item: Paced): void {
  item.attempts = 0;
  item.notBefore = 0;
}

/** It was found as it should be. A repair counts until it has held for a while. */
export function held(item: Paced, now: number): void {
  if (item.failure !== undefined || now - item.writtenAt > REPAIR_MEMORY_MS) item.attempts = 0;
}

/** @returns milliseconds until it is worth another try; undefined: only when something changes */
export function failed(item: Paced, kind: DrError['kind'], now: number): number | undefined {
  item.attempts += 1;
  const wait =
    kind === 'retry' ? backoffMs(item.attempts - 1, RETRY) : kind === 'wait' ? WAIT_RETRY_MS : undefined;
  item.notBefore = now + (wait ?? Number.POSITIVE_INFINITY);
  return wait;
}
