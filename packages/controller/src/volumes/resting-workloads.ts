import { type KubeClient, type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';
import type { WorkloadPod } from '@dr-syncer/identity';

import { recordAt, records } from '../resources/json.js';
import { podTemplates } from '../resources/pod-templates.js';
import { type Pod, podView, workloadPods } from './pods.js';

const batch = (plural: string, kind: string): Resource => ({
  ...{ group: 'batch', version: 'v1', plural, kind, namespaced: true },
});
const TYPES = [
  ...[wellKnown.statefulSets, wellKnown.deployments, wellKnown.daemonSets],
  ...[batch('jobs', 'Job'), batch('cronjobs', 'CronJob')],
];

/**
 * What the identity of a volume is worked out from: the pods that mount the claim; where none does, the templates of
 * the workloads whose pods will. So it stays the same when a workload is scaled to zero, as a source is before a planned
 * failover and a standby before it gives its data back.
 *
 * @throws KubeError
 */
export async function workloadsOfClaim(
  client: Pick<KubeClient, 'list'>,
  namespace: string,
  claim: string,
  signal: AbortSignal,
): Promise<WorkloadPod[]> {
  const pods = await client.list<Pod>(wellKnown.pods, { namespace, signal });
  const running = workloadPods(pods.items, claim);
  if (running.length > 0) return running;
  const lists = await Promise.all(
    TYPES.map(async (type) => {
      const { items } = await client.list(type, { namespace, signal });
      return items.map((item) => ({ ...item, apiVersion: `${type.group}/${type.version}`, kind: type.kind }));
    }),
  );
  return lists.flat().flatMap((object) => templateView(object, claim));
}

/** The pod that an object's template would make, when that mounts the claim. Pure. */
export function templateView(object: KubeObject, claim: string): WorkloadPod[] {
  const { name } = object.metadata;
  return podTemplates(object).flatMap(({ spec }) => {
    const pod = spec as Pod['spec'];
    const mounted = (pod.volumes ?? [])
      .filter((volume) => volume.persistentVolumeClaim?.claimName === claim)
      .map((volume) => volume.name);
    const made = claimTemplates(object).filter((template) => isMadeFrom(template, name, claim));
    const volumes = [...mounted, ...made];
    return volumes.length === 0 ? [] : [podView(`${object.kind} ${name}`, pod, volumes)];
  });
}

function claimTemplates({ spec }: KubeObject): string[] {
  const templates = records((spec as Record<string, unknown> | undefined)?.['volumeClaimTemplates']);
  return templates.flatMap((template) => {
    const name = recordAt(template, ['metadata'])?.['name'];
    return typeof name === 'string' ? [name] : [];
  });
}

/** A StatefulSet's claims are `<template>-<set>-<ordinal>`. */
function isMadeFrom(template: string, set: string, claim: string): boolean {
  const prefix = `${template}-${set}-`;
  return claim.startsWith(prefix) && /^\d+$/.test(claim.slice(prefix.length));
}
