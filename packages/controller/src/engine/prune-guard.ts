import { createHash } from 'node:crypto';

/** An object at the destination whose source is gone. */
export interface Orphan {
  /** `plural.group/name`. */
  readonly key: string;
  readonly isClaim: boolean;
  /** Since when, as marked; undefined: not marked yet. Milliseconds since 1970. */
  readonly goneSince: number | undefined;
}

export interface PruneRules {
  readonly graceSeconds: number;
  /** More than this at once waits for a confirmation. */
  readonly maxObjects: number;
  readonly maxPercent: number;
  /** Claims may go too, each time with a confirmation. */
  readonly claims: boolean;
}

export interface PrunePlan {
  readonly mark: readonly Orphan[];
  readonly remove: readonly Orphan[];
  /** What waits for somebody to say yes, with the word to say it. */
  readonly held: { readonly orphans: readonly Orphan[]; readonly token: string } | undefined;
  /** When the next one is due, in ms since 1970. */
  readonly nextAt: number | undefined;
}

/**
 * What may be removed now. Pure.
 *
 * @param owned objects of ours at the destination, orphans among them
 * @param confirmed the token that somebody has given, if any
 * @param now milliseconds since 1970
 */
export function planPrune(
  orphans: readonly Orphan[],
  owned: number,
  rules: PruneRules,
  confirmed: string | undefined,
  now: number,
): PrunePlan {
  const eligible = orphans.filter(({ isClaim }) => rules.claims || !isClaim);
  // Without a grace there is nothing to remember.
  const unmarked = (orphan: Orphan) => orphan.goneSince === undefined && rules.graceSeconds > 0;
  const mark = eligible.filter(unmarked);
  const dueAt = (orphan: Orphan) => (orphan.goneSince ?? now) + rules.graceSeconds * 1000;
  const isDue = (orphan: Orphan) => !unmarked(orphan) && dueAt(orphan) <= now;
  const due = eligible.filter(isDue);
  const later = eligible.filter((orphan) => !isDue(orphan)).map(dueAt);
  const nextAt = later.length === 0 ? undefined : later.reduce((a, b) => Math.min(a, b));
  const needsYes = due.length > limitOf(owned, rules) ? due : due.filter(({ isClaim }) => isClaim);
  if (needsYes.length === 0) return { mark, remove: due, held: undefined, nextAt };
  const token = tokenOf(needsYes);
  if (confirmed === token) return { mark, remove: due, held: undefined, nextAt };
  const remove = due.filter((orphan) => !needsYes.includes(orphan));
  return { mark, remove, held: { orphans: needsYes, token }, nextAt };
}

/** One object may always go, or nothing would ever be pruned of a small namespace. */
function limitOf(owned: number, { maxObjects, maxPercent }: PruneRules): number {
  return Math.min(maxObjects, Math.max(1, Math.floor((owned * maxPercent) / 100)));
}

/** Names exactly this set: a yes to ten objects is not one to eleven. */
function tokenOf(orphans: readonly Orphan[]): string {
  const keys = orphans.map(({ key }) => key).sort();
  return createHash('sha256').update(keys.join('\n')).digest('hex').slice(0, 12);
}
