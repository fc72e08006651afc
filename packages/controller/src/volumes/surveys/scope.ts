import { createHash } from 'node:crypto';

import type { Survey } from '@dr-syncer/ssh';

export interface ScopeFacts {
  /** Compared with the survey that was kept after the last good transfer; undefined: there is no survey. */
  readonly source: Survey | undefined;
  readonly copy: Survey | undefined;
  /** `conditionsOf` this transfer. */
  readonly conditions: string;
  /** Patterns of rsync's are not looked at in names that it is given, so with some of them all is compared. */
  readonly hasExclusions: boolean;
  readonly fullScanSeconds: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What a transfer looks at: nothing, what has changed, or all at both ends, and then why. */
export type Scope =
  { readonly scope: 'None' | 'Changed' } | { readonly scope: 'All'; readonly reason: string };

/** With more than this share of the entries changed, their names cost more than they save. */
const LARGE_SHARE = 0.5;

/**
 * Nothing is left out on a mere guess: the source says by times of change, which no tenant can set, that it is as it was
 * when the last good transfer began, and the copy says in the same way that nobody has touched it since that one ended.
 */
export function scopeOf(facts: ScopeFacts): Scope {
  const { source, copy, hasExclusions } = facts;
  const reason = whyAll(facts);
  const base = source?.base;
  if (reason !== undefined || source === undefined || base === undefined || copy === undefined)
    return { scope: 'All', reason: reason ?? 'nothing is known of the last transfer' };
  if (base.changed === 0 && base.removed === 0) return { scope: 'None' };
  if (hasExclusions) return { scope: 'All', reason: 'there are excludePaths, and something has changed' };
  const many = !base.named || base.changed > source.entries * LARGE_SHARE;
  if (many) return { scope: 'All', reason: 'very much has changed' };
  // What is gone has changed its directory, if only a moment before.
  if (base.changed === 0) return { scope: 'All', reason: 'something is gone, and no directory has changed' };
  return { scope: 'Changed' };
}

function whyAll({ source, copy, conditions, fullScanSeconds, now }: ScopeFacts): string | undefined {
  if (source === undefined || copy === undefined) return 'a volume could not be surveyed';
  if (!source.reliable || !copy.reliable)
    return 'a volume is on a network file system, has others mounted inside, or could not be read as a whole';
  const { base } = source;
  if (base === undefined) return 'nothing is known of the last transfer';
  if (base.conditions !== conditions) return 'identities, options or the destination have changed';
  if (base.copyDigest !== copy.digest) return 'the copy is not as the last transfer left it';
  const age = (now - Date.parse(base.fullAt)) / 1000;
  if (!(age >= 0 && age < fullScanSeconds)) return 'a full comparison is due';
  return undefined;
}

/** Two transfers for which this is the same do the same to the same source. */
export function conditionsOf(what: unknown): string {
  return createHash('sha256').update(JSON.stringify(what)).digest('hex');
}
