import type { KubeObject } from './types.js';

/** `spec` of a coordination.k8s.io/v1 Lease, the part that elections use. */
export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
  [field: string]: unknown;
}

export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

/** The lease as we last saw it change, with the moment of *our* monotonic clock at which we saw it. */
export interface Observation {
  readonly resourceVersion: string | undefined;
  readonly seenAt: number;
}

/**
 * Notes a change. The holder's own timestamps are never compared with our clock: two machines need not agree on the
 * time for this to work, only on how long a second is.
 */
export function observe(previous: Observation | undefined, lease: Lease, now: number): Observation {
  const { resourceVersion } = lease.metadata;
  return previous !== undefined && previous.resourceVersion === resourceVersion
    ? previous
    : { resourceVersion, seenAt: now };
}

/** Whether nobody holds the lease: given back, or not renewed for its own duration since we last saw it change. */
export function isFree(lease: Lease, observation: Observation, now: number): boolean {
  const { holderIdentity, leaseDurationSeconds } = lease.spec ?? {};
  if (holderIdentity === undefined || holderIdentity === '') return true;
  return now - observation.seenAt > (leaseDurationSeconds ?? 0) * 1000;
}

/** The spec that makes `identity` the holder from `date` on. */
export function heldBy(
  identity: string,
  spec: LeaseSpec | undefined,
  durationMs: number,
  date: Date,
): LeaseSpec {
  const same = spec?.holderIdentity === identity;
  return {
    ...spec,
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(durationMs / 1000),
    acquireTime: same ? (spec.acquireTime ?? microTime(date)) : microTime(date),
    renewTime: microTime(date),
    leaseTransitions: (spec?.leaseTransitions ?? 0) + (same || spec === undefined ? 0 : 1),
  };
}

/** The spec of a lease that was given back: whoever comes next need not wait. As client-go's ReleaseOnCancel. */
export function released(spec: LeaseSpec, date: Date): LeaseSpec {
  return { ...spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(date) };
}

/** `meta/v1 MicroTime`: always six digits of a second. */
export function microTime(date: Date): string {
  return date.toISOString().replace(/Z$/, '000Z');
}
