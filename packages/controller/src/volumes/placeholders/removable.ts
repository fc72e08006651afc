import { claimsOf, isPlaceholder, type Pod } from '../pods.js';

export interface PlaceholderFacts {
  readonly pod: Pod;
  /** Pods of the cluster that have not begun. */
  readonly pending: readonly Pod[];
  /** Transfers that work with it. */
  readonly users: number;
  readonly idleMs: number;
  readonly ttlMs: number;
  /** Whether several nodes may mount the claim at once. Asked only when it matters. */
  readonly shared: () => Promise<boolean>;
}

/**
 * Why a placeholder is to go; undefined: it stays. A pod of the workload that waits for the volume comes before any
 * transfer: the next one uses that pod.
 */
export async function removable(facts: PlaceholderFacts): Promise<'WorkloadWaits' | 'Unused' | undefined> {
  const { pod, pending, users, idleMs, ttlMs, shared } = facts;
  const claims = new Set(claimsOf(pod));
  const waits = pending.some(
    (one) =>
      one.metadata.namespace === pod.metadata.namespace &&
      one.metadata.deletionTimestamp === undefined &&
      !isPlaceholder(one) &&
      claimsOf(one).some((claim) => claims.has(claim)),
  );
  if (waits && !(await shared())) return 'WorkloadWaits';
  return users === 0 && idleMs >= ttlMs ? 'Unused' : undefined;
}
