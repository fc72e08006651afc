import { annotation } from '@dr-syncer/api';
import { type KubeObject, refOf } from '@dr-syncer/kube';

import type { PersonsCluster } from '../cluster-flags.js';
import { type Workload, workloadsOf } from './source-workloads.js';
import { FAILOVER_MANAGER } from './start.js';
import { nameOf } from './stop.js';

/** An object that somebody has scaled to zero by hand, and how many the standby has of it. */
export interface Unnoted {
  readonly workload: Workload;
  readonly replicas: number;
}

/** Where nothing says how many there were, the standby does: it was started with the number of the last sync. Pure. */
export function unnoted(source: readonly Workload[], standby: readonly Workload[]): Unnoted[] {
  return source.flatMap((workload) => {
    const { object, start, atRest } = workload;
    if (!atRest || start !== undefined || replicasOf(object) !== 0) return [];
    const twin = standby.find((one) => nameOf(one.object) === nameOf(object))?.object;
    const replicas = twin === undefined ? 0 : runningReplicas(twin);
    return replicas > 0 ? [{ workload, replicas }] : [];
  });
}

/**
 * Notes the numbers of the standby on what is at zero at the source without a note, so that it is started with them.
 *
 * @throws KubeError
 */
export async function noteNumbers(
  source: { readonly cluster: PersonsCluster; readonly namespace: string },
  standby: { readonly cluster: PersonsCluster; readonly namespace: string },
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const [here, there] = await Promise.all(
    [source, standby].map(({ cluster, namespace }) => workloadsOf(cluster, namespace, signal)),
  );
  for (const { workload, replicas } of unnoted(here ?? [], there ?? [])) {
    const { resource, object } = workload;
    const body = { metadata: { annotations: { [annotation.originalReplicas]: String(replicas) } } };
    const options = { fieldManager: FAILOVER_MANAGER, signal };
    await source.cluster.client.patch(refOf(resource, object), body, 'merge', options);
    say(
      `${nameOf(object)} was scaled to zero by hand; it will be started with the ${replicas} of the standby`,
    );
  }
}

/** As it runs, or did before it was brought to rest. */
function runningReplicas(object: KubeObject): number {
  const noted = object.metadata.annotations?.[annotation.originalReplicas];
  return noted === undefined ? (replicasOf(object) ?? 0) : Number(noted) || 0;
}

function replicasOf({ spec }: KubeObject): number | undefined {
  const { replicas } = (spec ?? {}) as { replicas?: unknown };
  return typeof replicas === 'number' ? replicas : undefined;
}
