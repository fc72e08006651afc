import { annotation, label } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

type Json = Record<string, unknown>;

/** DaemonSets have no replica count: a node selector that no node matches parks them. Removing it starts them. */
export const PARKED_SELECTOR = { 'dr-syncer.io/parked': 'true' } as const;

/**
 * Turns a workload into a standby, in place: replicas 0 (or the label `scale-override`), CronJobs and Jobs suspended,
 * DaemonSets parked. What the source had is kept in annotations, so that starting needs nothing but the destination.
 */
export function makeStandby(object: KubeObject): void {
  const spec = object['spec'] as Json | undefined;
  if (spec === undefined) return;
  switch (object.kind) {
    case 'Deployment':
    case 'StatefulSet':
    case 'ReplicaSet':
    case 'ReplicationController': {
      // Absent means 1 (apps/v1 defaulting).
      const original = typeof spec['replicas'] === 'number' ? spec['replicas'] : 1;
      annotate(object, annotation.originalReplicas, String(original));
      spec['replicas'] = scaleOverride(object) ?? 0;
      return;
    }
    case 'CronJob':
    case 'Job':
      annotate(object, annotation.originalSuspend, String(spec['suspend'] === true));
      spec['suspend'] = true;
      return;
    case 'DaemonSet':
      park(spec);
      return;
    default:
  }
}

function scaleOverride(object: KubeObject): number | undefined {
  const value = object.metadata.labels?.[label.scaleOverride];
  return value !== undefined && /^\d{1,5}$/.test(value) ? Number(value) : undefined;
}

function park(spec: Json): void {
  const template = spec['template'] as { spec?: Json } | undefined;
  if (template?.spec === undefined) return;
  template.spec['nodeSelector'] = {
    ...(template.spec['nodeSelector'] as Json | undefined),
    ...PARKED_SELECTOR,
  };
}

function annotate(object: KubeObject, key: string, value: string): void {
  object.metadata.annotations = { ...object.metadata.annotations, [key]: value };
}
