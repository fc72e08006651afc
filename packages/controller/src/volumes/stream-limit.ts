import { FILE_COST_BYTES, type Survey } from '@dr-syncer/ssh';

import type { Scope } from './surveys/scope.js';

export interface StreamSettings {
  /** Of all volumes; 1: off. */
  readonly most: number;
  /** A volume of which less than this is to be moved has one stream. */
  readonly leastBytes: number;
}

export interface StreamFacts {
  readonly source: Survey | undefined;
  readonly copy: Survey | undefined;
  readonly scope: Scope['scope'];
  /** The copy is as the last good transfer left it, so what the source says has changed is what is to be moved. */
  readonly copyIsKnown: boolean;
  /** rsync does not look at patterns in names that it is given, so with some of them nothing is split. */
  readonly hasExclusions: boolean;
  /** Through this process and the API server, which all streams would share. */
  readonly relayed: boolean;
  /** `pvcConfig.parallelStreams`. */
  readonly wanted: number;
  /** Of the volume or of its part of the remote cluster's; Infinity: none. */
  readonly limitBytesPerSecond: number;
}

/** One stream gets as far as this on any line that is worth a limit above it. */
const SLOW_STREAM_BYTES = 32 * 2 ** 20;

interface Amount {
  readonly entries: number;
  readonly bytes: number;
  readonly largest: number;
}

/**
 * Streams that a volume may have, by what is to be moved of it; how many of them are faster, its agent finds out. One for
 * what is soon done, for a volume that is mostly one file, and where nobody knows how much it is.
 */
export function streamLimit(facts: StreamFacts, { most, leastBytes }: StreamSettings): number {
  const amount = amountOf(facts);
  if (amount === undefined || facts.hasExclusions || facts.relayed) return 1;
  const { entries, bytes, largest } = amount;
  const cost = bytes + entries * FILE_COST_BYTES;
  if (cost < leastBytes) return 1;
  const byFiles = Math.floor(cost / (largest + FILE_COST_BYTES));
  const byLimit = Math.floor(facts.limitBytesPerSecond / SLOW_STREAM_BYTES);
  return Math.max(1, Math.min(most, facts.wanted, byFiles, byLimit));
}

function amountOf({ source, copy, scope, copyIsKnown }: StreamFacts): Amount | undefined {
  if (source === undefined || copy === undefined || scope === 'None') return undefined;
  const { base } = source;
  if (base !== undefined && copyIsKnown)
    return { entries: base.changed, bytes: base.changedBytes, largest: base.changedLargest };
  return {
    entries: Math.max(0, source.entries - copy.entries),
    bytes: Math.max(0, source.bytes - copy.bytes),
    largest: source.largest,
  };
}
