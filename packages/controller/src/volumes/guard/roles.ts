import type { KubeObject } from '@dr-syncer/kube';

import { type CopyRecord, readCopyRecord } from './copy-record.js';

/** Reverse: from the active standby back to what was the source. */
export type Direction = 'forward' | 'reverse';

interface Ends<E> {
  readonly source: E;
  readonly destination: E;
}
interface Volumes<V> {
  readonly from: V;
  readonly to: V;
}

/** The end in the remote cluster: what is remembered lies on its claim, so the source needs no right to write claims. */
export function copyOf<E, V>(
  direction: Direction,
  { source, destination }: Ends<E>,
  { from, to }: Volumes<V>,
): { readonly end: E; readonly volume: V } {
  return direction === 'forward' ? { end: destination, volume: to } : { end: source, volume: from };
}

/** The end in the source cluster. */
export function originalOf<E, V>(
  direction: Direction,
  ends: Ends<E>,
  volumes: Volumes<V>,
): { readonly end: E; readonly volume: V } {
  return copyOf(direction === 'forward' ? 'reverse' : 'forward', ends, volumes);
}

/**
 * What the guard is told of the volume that is written to. On the way back that is only what it has stopped before: a
 * source that was made anew is to get its data, and how much it holds is counted.
 */
export function guardRecord(
  direction: Direction,
  { from, to }: Volumes<{ readonly claim: KubeObject }>,
): CopyRecord | undefined {
  if (direction === 'forward') return readCopyRecord(to.claim);
  const stopped = readCopyRecord(from.claim)?.reverseStopped;
  return stopped === undefined ? undefined : { stopped };
}

/** The record on the copy's claim, with a run that the guard has stopped. */
export function withStop(
  direction: Direction,
  claim: KubeObject,
  stopped: NonNullable<CopyRecord['stopped']>,
): CopyRecord {
  const record = readCopyRecord(claim);
  return direction === 'forward' ? { ...record, stopped } : { ...record, reverseStopped: stopped };
}
