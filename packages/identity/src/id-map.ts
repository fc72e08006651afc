import { namespaceLimits } from './namespace-limits.js';
import type { IdMap } from './rsync-options.js';
import type { Annotations } from './scc/annotations.js';

/**
 * For a privileged copy between namespaces that OpenShift gave different ranges: the ids that workloads get by
 * default at the source become those that they get at the destination. Other ids stay what they are; without both
 * annotations nothing is mapped.
 */
export function namespaceIdMap(source: Annotations, destination: Annotations): IdMap {
  const { limits: from } = namespaceLimits(source, 'source');
  const { limits: to } = namespaceLimits(destination, 'destination');
  return {
    users: pair(from.users?.min, to.users?.min),
    groups: pair(from.fsGroups?.[0]?.min, to.fsGroups?.[0]?.min),
  };
}

function pair(from: number | undefined, to: number | undefined): IdMap['users'] {
  // A mapping of root, or to root, would not be one of workloads' ids.
  return from === undefined || to === undefined || from === to || from === 0 || to === 0 ? [] : [[from, to]];
}
