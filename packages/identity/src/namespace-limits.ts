import { canonicalLevel } from './mcs.js';
import { shown, type Refusal } from './refusal.js';
import {
  fsGroupRanges,
  level,
  sccAnnotation,
  supplementalGroupsRanges,
  uidRange,
  type Annotations,
} from './scc/annotations.js';
import type { Outcome } from './scc/outcome.js';
import type { Constraints, IdRange } from './scc/types.js';

/** What the annotations of a namespace allow its movers. Absent: the namespace says nothing about it. */
export interface NamespaceLimits {
  readonly users?: IdRange;
  /** Exactly one id. */
  readonly fsGroups?: readonly IdRange[];
  readonly groups?: readonly IdRange[];
  /** The annotation that `fsGroups` and `groups` come from. */
  readonly groupAnnotation: string;
  /** Canonical. */
  readonly level?: string;
}

/**
 * Each annotation counts for itself: a namespace of a plain cluster that somebody annotated with a range of users
 * only is held to that range.
 */
export function namespaceLimits(
  annotations: Annotations,
  namespace: string,
): { limits: NamespaceLimits; refusals: Refusal[] } {
  const refusals: Refusal[] = [];
  const has = (name: string): boolean => annotations[name] !== undefined;
  const groupAnnotation = has(sccAnnotation.supplementalGroups)
    ? sccAnnotation.supplementalGroups
    : sccAnnotation.uidRange;
  const read = <T>(name: string, parse: () => Outcome<T>): T | undefined => {
    if (!has(name)) return undefined;
    const outcome = parse();
    if (outcome.ok) return outcome.value;
    refusals.push(badAnnotation(name, annotations[name], outcome.error));
    return undefined;
  };

  const users = read(sccAnnotation.uidRange, () => uidRange(annotations));
  const mcs = read(sccAnnotation.mcs, () => level(annotations));
  const canonical = mcs === undefined ? undefined : (canonicalLevel(mcs) ?? undefined);
  if (mcs !== undefined && canonical === undefined) {
    refusals.push(badAnnotation(sccAnnotation.mcs, mcs, 'it is no SELinux level'));
  }
  // A broken list of users that also stands for the groups is said once.
  const groups =
    refusals.length > 0
      ? undefined
      : read(groupAnnotation, () => supplementalGroupsRanges(annotations, namespace));
  const fsGroups = groups === undefined ? undefined : fsGroupRanges(annotations, namespace);
  return {
    limits: {
      groupAnnotation,
      ...(users && { users }),
      ...(groups && { groups }),
      ...(fsGroups?.ok && { fsGroups: fsGroups.value }),
      ...(canonical !== undefined && { level: canonical }),
    },
    refusals,
  };
}

/**
 * The rules for movers of a namespace, as constraints: OpenShift's restricted-v2, but for supplemental groups, which
 * that leaves to anybody. A privileged mover is free in its ids and bound in its SELinux level.
 */
export function moverConstraints(
  limits: NamespaceLimits,
  privileged: boolean,
  withGroups: boolean,
): Constraints {
  const any = { type: 'RunAsAny' };
  const seLinuxContext =
    limits.level === undefined ? any : { type: 'MustRunAs', seLinuxOptions: { level: limits.level } };
  const metadata = { name: 'dr-syncer-mover' };
  if (privileged) return { metadata, runAsUser: any, seLinuxContext, fsGroup: any, supplementalGroups: any };
  const groups = (ranges: readonly IdRange[] | undefined): Constraints['fsGroup'] =>
    ranges === undefined ? any : { type: 'MustRunAs', ranges: [...ranges] };
  return {
    metadata,
    seLinuxContext,
    runAsUser: limits.users
      ? { type: 'MustRunAsRange', uidRangeMin: limits.users.min, uidRangeMax: limits.users.max }
      : { type: 'MustRunAsNonRoot' },
    fsGroup: groups(limits.fsGroups),
    // Without a list there is nothing to check, and no group to be given.
    supplementalGroups: withGroups ? groups(limits.groups) : any,
  };
}

const SHOWN_RANGES = 8;

/** For messages: bounded. */
export function rangesText(ranges: readonly IdRange[]): string {
  const texts = ranges
    .slice(0, SHOWN_RANGES)
    .map(({ min, max }) => (min === max ? String(min) : `${min}-${max}`));
  return [...texts, ...(ranges.length > SHOWN_RANGES ? ['...'] : [])].join(', ');
}

function badAnnotation(name: string, value: string | undefined, why: string): Refusal {
  return {
    path: `metadata.annotations["${name}"]`,
    value: shown(value),
    allowed: name === sccAnnotation.mcs ? 'a level such as s0:c1,c2' : 'start/size or start-end',
    remedy: `Have the annotation of the namespace corrected: ${why}.`,
  };
}
