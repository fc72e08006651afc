/** `meta/v1 Condition`. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  /** RFC 3339, seconds. */
  lastTransitionTime: string;
  observedGeneration?: number | undefined;
}

export type NewCondition = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** The schema of `meta/v1 Condition` allows 32768; nobody reads that, and a status has to stay small. */
const MAX_MESSAGE = 1024;

/**
 * The conditions with `next` among them, in the place of its predecessor or at the end. `lastTransitionTime` changes
 * with `status` alone, so that it says since when; the given array is not changed.
 *
 * @param generation `metadata.generation` of what was looked at
 */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  next: NewCondition,
  generation: number | undefined,
  now: Date,
): Condition[] {
  const all = conditions ?? [];
  const old = findCondition(all, next.type);
  const condition: Condition = {
    type: next.type,
    status: next.status,
    reason: next.reason,
    message: shortened(next.message, MAX_MESSAGE),
    lastTransitionTime: old?.status === next.status ? old.lastTransitionTime : rfc3339(now),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
  if (old === undefined) return [...all, condition];
  return all.map((one) => (one.type === next.type ? condition : one));
}

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((one) => one.type === type);
}

export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/** `meta/v1 Time`: whole seconds. */
export function rfc3339(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** At most `max` UTF-16 units, with "..." where something was cut, never half of a surrogate pair. */
export function shortened(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, max - 3).replace(/[\uD800-\uDBFF]$/, '')}...`;
}
