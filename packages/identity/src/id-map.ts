import type { IdMap } from '@dr-syncer/api';
import { namespaceLimits } from './namespace-limits.js';
import type { Annotations } from './scc/annotations.js';
import type { IdRange } from './scc/types.js';
import type { WorkloadIds } from './workload.js';

/** An argument of rsync holds this many pairs without coming near the longest one that the agent takes. */
const MAX_PAIRS = 64;

/**
 * For a privileged copy between namespaces that OpenShift gave different ranges: the ids that workloads have at the
 * source become those at the same distance from the start of the range at the destination. That is the id which a pod
 * gets by default, and those that the workload names. Other ids stay what they are; without both annotations nothing
 * is mapped.
 */
export function namespaceIdMap(source: Annotations, destination: Annotations, used: WorkloadIds): IdMap {
  const { limits: from } = namespaceLimits(source, 'source');
  const { limits: to } = namespaceLimits(destination, 'destination');
  return {
    users: pairs(from.users, to.users, used.users),
    // The fsGroup of a namespace is the first id of the first block.
    groups: pairs(from.groups?.[0], to.groups?.[0], used.groups),
  };
}

/** As rsync's --usermap and --groupmap take it. */
export function mapText(idPairs: IdMap['users']): string {
  return mapPairs(idPairs).join(',');
}

/** Each as `from:to`. */
export function mapPairs(idPairs: IdMap['users']): string[] {
  return idPairs.map(([from, to]) => `${from}:${to}`);
}

function pairs(from: IdRange | undefined, to: IdRange | undefined, used: readonly number[]): IdMap['users'] {
  if (from === undefined || to === undefined || from.min === to.min) return [];
  const inside = [...new Set([from.min, ...used])].filter((id) => id >= from.min && id <= from.max);
  return (
    inside
      .map((id): [number, number] => [id, to.min + (id - from.min)])
      // A mapping of root, or to root, would not be one of workloads' ids.
      .filter(([id, other]) => id !== 0 && other !== 0 && other <= to.max)
      .slice(0, MAX_PAIRS)
  );
}
