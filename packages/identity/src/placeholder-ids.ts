import type { Identity } from '@dr-syncer/api';
import { namespaceLimits } from './namespace-limits.js';
import type { Annotations } from './scc/annotations.js';

/** What the pod that holds a volume mounted runs as. It does nothing with the volume, so any user will do but root. */
export interface PlaceholderIds {
  readonly user: number;
  readonly group: number;
}

const NOBODY = 65_534;

/**
 * Ids that admission takes: those of the transfer where they are the namespace's own, else the first of its range. A
 * privileged transfer's ids are not a pod's business: OpenShift would refuse them, or give the pod other constraints.
 */
export function placeholderIds(
  { uid, gid, privileged }: Pick<Identity, 'uid' | 'gid' | 'privileged'>,
  annotations: Annotations,
): PlaceholderIds {
  if (!privileged && uid !== 0) return { user: uid, group: gid === 0 ? uid : gid };
  const { limits } = namespaceLimits(annotations, '');
  const first = limits.users?.min;
  const user = first === undefined || first === 0 ? NOBODY : first;
  return { user, group: user };
}
