import { DrError } from '@dr-syncer/api';
import { type KubeClient, sleep, wellKnown } from '@dr-syncer/kube';

import type { MountedVolume } from '../mounts.js';
import { destinationInUse, isDone, type Pod, workloadOf } from '../pods.js';

export interface HeldEnd {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly volume: MountedVolume;
  /** Nobody of the workload may have it mounted: it is written to. */
  readonly exclusive: boolean;
}

const INTERVAL_MS = 3_000;

/**
 * Watches the pods that a transfer's volumes are mounted by, until the signal is aborted. A transfer holds its volumes
 * open, and the kubelet cannot unmount them meanwhile: when such a pod ends, for instance to be moved to another node,
 * the transfer has to let go at once.
 *
 * @param onProblem called once: VolumeNotMounted, DestinationInUse
 */
export async function watchHolders(
  ends: readonly HeldEnd[],
  onProblem: (problem: DrError) => void,
  signal: AbortSignal,
  intervalMs = INTERVAL_MS,
): Promise<void> {
  while (await slept(intervalMs, signal)) {
    const problems = await Promise.all(ends.map((end) => look(end, signal)));
    const problem = problems.find((one) => one !== undefined);
    if (problem === undefined) continue;
    onProblem(problem);
    return;
  }
}

/** False: the signal is aborted. */
async function slept(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, signal).then(
    () => true,
    () => false,
  );
}

async function look(end: HeldEnd, signal: AbortSignal): Promise<DrError | undefined> {
  try {
    const { items } = await end.client.list<Pod>(wellKnown.pods, { namespace: end.namespace, signal });
    return holderProblem(items, end);
  } catch {
    // An API server that does not answer says nothing about the pod; the agents talk to each other without it.
    return undefined;
  }
}

/** What is wrong with the way a volume is mounted now. */
export function holderProblem(
  pods: readonly Pod[],
  { namespace, volume, exclusive }: Pick<HeldEnd, 'namespace' | 'volume' | 'exclusive'>,
): DrError | undefined {
  const claim = volume.claim.metadata.name;
  const foreign = exclusive ? workloadOf(pods, claim) : undefined;
  if (foreign) return destinationInUse(namespace, claim, foreign);
  const holder = pods.find((pod) => pod.metadata.uid === volume.podUid);
  if (holder === undefined || holder.metadata.deletionTimestamp !== undefined || isDone(holder)) {
    return new DrError(
      'VolumeNotMounted',
      `the pod that had the volume of claim ${namespace}/${claim} mounted on node ${volume.node} has ended`,
    );
  }
  return undefined;
}
