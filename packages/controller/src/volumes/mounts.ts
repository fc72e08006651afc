import { annotation, DrError, FIELD_MANAGER, label } from '@dr-syncer/api';
import type { WorkloadPod } from '@dr-syncer/identity';
import {
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubeClient,
  type KubeObject,
  sleep,
  wellKnown,
} from '@dr-syncer/kube';

import {
  placeholderContextHash,
  placeholderName,
  placeholderPod,
  type PlaceholderOptions,
} from './placeholder.js';

interface PodVolume {
  name: string;
  persistentVolumeClaim?: { claimName: string };
}
interface PodContainer {
  name: string;
  securityContext?: unknown;
  volumeMounts?: { name: string }[];
}
export interface Pod extends KubeObject {
  spec: { nodeName?: string; volumes?: PodVolume[]; containers?: PodContainer[]; securityContext?: unknown };
  status?: {
    phase?: string;
    containerStatuses?: { state?: { waiting?: { reason?: string; message?: string } } }[];
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
}
export interface Claim extends KubeObject {
  spec: { volumeName?: string; volumeMode?: string; storageClassName?: string };
  status?: { phase?: string };
}

/** A volume that is mounted on a node by a pod. */
export interface MountedVolume {
  readonly claim: Claim;
  readonly pvName: string;
  readonly podUid: string;
  readonly node: string;
  readonly placeholder: boolean;
}

const POLL_MS = 250;

/** Pods of the namespace that mount the claim, those of others before our own placeholder. */
export function podsOf(pods: readonly Pod[], claim: string): Pod[] {
  return pods
    .filter((pod) => (pod.spec.volumes ?? []).some((one) => one.persistentVolumeClaim?.claimName === claim))
    .sort((a, b) => Number(isPlaceholder(a)) - Number(isPlaceholder(b)));
}

export function isPlaceholder(pod: Pod): boolean {
  return pod.metadata.labels?.[label.placeholder] !== undefined;
}

/** Running means that kubelet has mounted all its volumes. */
function holdsMount(pod: Pod): boolean {
  return (
    pod.status?.phase === 'Running' &&
    pod.spec.nodeName !== undefined &&
    pod.metadata.deletionTimestamp === undefined
  );
}

/** What the identity is worked out from: the contexts of the pods that mount the claim. */
export function workloadPods(pods: readonly Pod[], claim: string): WorkloadPod[] {
  return podsOf(pods, claim)
    .filter((pod) => !isPlaceholder(pod))
    .map((pod) => {
      const names = (pod.spec.volumes ?? [])
        .filter((one) => one.persistentVolumeClaim?.claimName === claim)
        .map((one) => one.name);
      const containers = (pod.spec.containers ?? []).filter((container) =>
        container.volumeMounts?.some((mount) => names.includes(mount.name)),
      );
      return {
        name: pod.metadata.name,
        securityContext: pod.spec.securityContext,
        containers: containers.map(({ name, securityContext }) => ({ name, securityContext })),
      };
    });
}

export interface MountOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly claim: string;
  readonly placeholder: Omit<PlaceholderOptions, 'namespace' | 'claim'>;
  readonly timeoutMs: number;
}

/**
 * Makes sure that a pod holds the claim's volume mounted and says where: a running pod of the workload when there is
 * one, else a placeholder.
 *
 * @throws DrError VolumeModeUnsupported, ClaimNotBound, VolumeNotMounted with what Kubernetes says about it
 */
export async function ensureMounted(options: MountOptions, signal: AbortSignal): Promise<MountedVolume> {
  const { client, namespace, claim: name, timeoutMs } = options;
  const deadline = performance.now() + timeoutMs;
  for (let created = false; ;) {
    const claim = await client.find<Claim>(
      { resource: wellKnown.persistentVolumeClaims, namespace, name },
      { signal },
    );
    if (claim === undefined) throw new DrError('ClaimNotBound', `claim ${namespace}/${name} does not exist`);
    if (claim.spec.volumeMode === 'Block') {
      throw new DrError('VolumeModeUnsupported', `claim ${namespace}/${name} has volumeMode Block`);
    }
    const { items } = await client.list<Pod>(wellKnown.pods, { namespace, signal });
    const pods = podsOf(items, name);
    const holder = pods.find(holdsMount);
    const stale = pods.find((pod) => isStale(pod, options.placeholder));
    if (stale !== undefined) {
      await removePlaceholder(options, stale, signal);
    } else if (holder !== undefined && claim.spec.volumeName !== undefined) {
      return {
        claim,
        pvName: claim.spec.volumeName,
        podUid: holder.metadata.uid ?? '',
        node: holder.spec.nodeName ?? '',
        placeholder: isPlaceholder(holder),
      };
    }
    // A workload pod that is being started will mount it; with a placeholder beside it the two could want two nodes.
    if (!created && pods.every((pod) => pod.metadata.deletionTimestamp !== undefined || isDone(pod))) {
      created = await createPlaceholder(options, claim, signal);
    }
    if (performance.now() > deadline) throw await notMounted(options, claim, pods, signal);
    await sleep(POLL_MS, signal);
  }
}

function isDone(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Of another identity: kubelet gave the volume the group and the label of that one when it mounted it. */
function isStale(pod: Pod, placeholder: MountOptions['placeholder']): boolean {
  if (!isPlaceholder(pod) || pod.metadata.deletionTimestamp !== undefined) return false;
  return pod.metadata.annotations?.[annotation.placeholderContext] !== placeholderContextHash(placeholder);
}

/** False: there is one of that name that is ending, or has ended; the next look decides again. */
async function createPlaceholder(options: MountOptions, claim: Claim, signal: AbortSignal): Promise<boolean> {
  const { client, namespace, placeholder } = options;
  const pod = placeholderPod({ ...placeholder, namespace, claim });
  try {
    await client.create(wellKnown.pods, pod, { signal, fieldManager: FIELD_MANAGER });
    return true;
  } catch (err) {
    if (!isAlreadyExists(err)) throw err;
    const ref = { resource: wellKnown.pods, namespace, name: placeholderName(claim) };
    const old = await client.find<Pod>(ref, { signal });
    if (old !== undefined && isDone(old)) await removePlaceholder(options, old, signal);
    return false;
  }
}

async function removePlaceholder(
  { client, namespace }: MountOptions,
  { metadata }: Pod,
  signal: AbortSignal,
): Promise<void> {
  const ref = { resource: wellKnown.pods, namespace, name: metadata.name };
  try {
    await client.delete(ref, { preconditions: { uid: metadata.uid }, signal });
  } catch (err) {
    // Gone already, or another one of its name: the next look decides again.
    if (!isNotFound(err) && !isConflict(err)) throw err;
  }
}

/** Why it takes so long, in the words of scheduler and kubelet. */
async function notMounted(
  { client, namespace, claim: name, timeoutMs }: MountOptions,
  claim: Claim,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<DrError> {
  const about = new Set([name, ...pods.map((pod) => pod.metadata.name)]);
  const events = await client.list<
    KubeObject & { regarding?: { name?: string }; note?: string; type?: string }
  >(wellKnown.events, { namespace, signal });
  const warnings = events.items.filter(
    (one) => one.type === 'Warning' && about.has(one.regarding?.name ?? ''),
  );
  const waiting = pods
    .flatMap((pod) => pod.status?.containerStatuses ?? [])
    .find((one) => one.state?.waiting?.message);
  const unscheduled = pods
    .flatMap((pod) => pod.status?.conditions ?? [])
    .find((one) => one.type === 'PodScheduled' && one.status === 'False');
  const why =
    warnings.at(-1)?.note ?? unscheduled?.message ?? waiting?.state?.waiting?.message ?? 'no event says why';
  const seconds = Math.round(timeoutMs / 1000);
  return claim.status?.phase === 'Bound'
    ? new DrError(
        'VolumeNotMounted',
        `volume of claim ${namespace}/${name} not mounted after ${seconds} s: ${why}`,
      )
    : new DrError('ClaimNotBound', `claim ${namespace}/${name} not bound after ${seconds} s: ${why}`);
}
