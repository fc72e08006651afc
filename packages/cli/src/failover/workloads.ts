import { annotation } from '@dr-syncer/api';
import type { KubeObject, Resource } from '@dr-syncer/kube';

/** An object of the standby that can run, and what starts it. */
export interface StandbyObject {
  readonly resource: Resource;
  readonly object: KubeObject;
  /** A merge patch; undefined: it is not at rest (any more). */
  readonly patch: Record<string, unknown> | undefined;
}

/** Objects of one rank are started together; the next rank begins when they are up. */
export type Rank = readonly StandbyObject[];

/** What others need first: data before what uses it, work by the clock last. */
const rankOfKind: Readonly<Record<string, number>> = {
  StatefulSet: 10,
  Deployment: 20,
  ReplicaSet: 20,
  ReplicationController: 20,
  DaemonSet: 20,
  HorizontalPodAutoscaler: 30,
  ScaledObject: 30,
  ScaledJob: 40,
  Job: 40,
  CronJob: 40,
};
/** Custom kinds: their operators bring up databases as often as anything. */
const CUSTOM_RANK = 10;

/** The annotation `dr-syncer.io/start-order` (a whole number, smaller is earlier) comes before the rank of the kind. */
export function rankOf(object: KubeObject): number {
  const own = object.metadata.annotations?.[annotation.startOrder];
  if (own !== undefined && /^-?\d{1,6}$/.test(own)) return Number(own);
  return rankOfKind[object.kind] ?? CUSTOM_RANK;
}

export function ranksOf(objects: readonly StandbyObject[]): Rank[] {
  const byRank = new Map<number, StandbyObject[]>();
  for (const one of objects) {
    const rank = rankOf(one.object);
    byRank.set(rank, [...(byRank.get(rank) ?? []), one]);
  }
  return [...byRank].sort(([a], [b]) => a - b).map(([, same]) => same);
}

export interface Readiness {
  readonly ready: number;
  readonly wanted: number;
}

/** How much of an object is up; undefined: it is not the kind of thing that is up or down, or only its operator knows. */
export function readinessOf(object: KubeObject): Readiness | undefined {
  const spec = (object['spec'] ?? {}) as Record<string, unknown>;
  const status = (object['status'] ?? {}) as Record<string, unknown>;
  const current = Number(status['observedGeneration'] ?? 0) >= (object.metadata.generation ?? 0);
  const count = (value: unknown) => (typeof value === 'number' ? value : 0);
  switch (object.kind) {
    case 'Deployment':
    case 'StatefulSet':
    case 'ReplicaSet':
    case 'ReplicationController':
      return {
        ready: current ? count(status['readyReplicas']) : 0,
        wanted: typeof spec['replicas'] === 'number' ? spec['replicas'] : 1,
      };
    case 'DaemonSet':
      // Before it is observed nobody knows how many there will be; one stands for "not yet".
      return {
        ready: current ? count(status['numberReady']) : 0,
        wanted: current ? count(status['desiredNumberScheduled']) : 1,
      };
    default:
      return undefined;
  }
}

export function isUp(object: KubeObject): boolean {
  const readiness = readinessOf(object);
  return readiness === undefined || readiness.ready >= readiness.wanted;
}
