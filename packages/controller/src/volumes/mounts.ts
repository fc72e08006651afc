import { annotation, DrError, FIELD_MANAGER } from '@dr-syncer/api';
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
import {
  type Claim,
  destinationInUse,
  holdsMount,
  isDone,
  isPlaceholder,
  isShared,
  type Pod,
  podsOf,
  workloadOf,
} from './pods.js';

/** A volume that is mounted on a node by a pod. */
export interface MountedVolume {
  readonly claim: Claim;
  readonly pvName: string;
  readonly podUid: string;
  readonly node: string;
  readonly placeholder: boolean;
  /** The PV's own path on the node, where it has one and no mount of its own below the kubelet's directory. */
  readonly hostPath?: string;
}

const POLL_MS = 250;

export interface MountOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly claim: string;
  readonly placeholder: Omit<PlaceholderOptions, 'namespace' | 'claim' | 'tolerateAll'>;
  /** A placeholder was made, or may have been. */
  readonly onPlaceholder: () => void;
  readonly timeoutMs: number;
  /** Nobody of the workload may have it mounted: it is written to. */
  readonly exclusive: boolean;
}

/**
 * Makes sure that a pod holds the claim's volume mounted and says where: a running pod of the workload when there is
 * one, else a placeholder.
 *
 * @throws DrError VolumeModeUnsupported, DestinationInUse, ClaimNotBound, VolumeNotMounted with what Kubernetes says
 */
export async function ensureMounted(options: MountOptions, signal: AbortSignal): Promise<MountedVolume> {
  const { client, namespace, claim: name, timeoutMs, exclusive } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const claim = await claimOf(options, signal);
    const { items } = await client.list<Pod>(wellKnown.pods, { namespace, signal });
    const pods = podsOf(items, name);
    const late = performance.now() > deadline;
    const foreign = exclusive ? workloadOf(pods, name) : undefined;
    if (foreign !== undefined) {
      // One that is ending lets go of the volume soon.
      if (late || foreign.metadata.deletionTimestamp === undefined) {
        throw destinationInUse(namespace, name, foreign);
      }
    } else {
      const mounted = await step(options, claim, pods, signal);
      if (mounted !== undefined) return mounted;
    }
    if (late) throw await notMounted(options, claim, pods, signal);
    await sleep(POLL_MS, signal);
  }
}

async function claimOf(
  { client, namespace, claim: name }: MountOptions,
  signal: AbortSignal,
): Promise<Claim> {
  const ref = { resource: wellKnown.persistentVolumeClaims, namespace, name };
  const claim = await client.find<Claim>(ref, { signal });
  if (claim === undefined) throw new DrError('ClaimNotBound', `claim ${namespace}/${name} does not exist`);
  if (claim.spec.volumeMode === 'Block') {
    throw new DrError('VolumeModeUnsupported', `claim ${namespace}/${name} has volumeMode Block`);
  }
  return claim;
}

/** The mounted volume, or what can be done towards it. */
async function step(
  options: MountOptions,
  claim: Claim,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<MountedVolume | undefined> {
  const stale = pods.find((pod) => isStale(pod, options.placeholder));
  if (stale !== undefined) {
    await removePlaceholder(options, stale, signal);
    return undefined;
  }
  const holder = pods.find(holdsMount);
  if (holder === undefined) {
    if (!mayHold(claim, pods)) return undefined;
    try {
      await createPlaceholder(options, claim, signal);
    } finally {
      // One whose creation failed may be there all the same.
      options.onPlaceholder();
    }
    return undefined;
  }
  const volume = await volumeOf(options, claim, signal);
  if (volume === undefined) return undefined;
  const hostPath = hostPathOf(volume);
  return {
    claim,
    pvName: volume.metadata.name,
    podUid: holder.metadata.uid ?? '',
    node: holder.spec.nodeName ?? '',
    placeholder: isPlaceholder(holder),
    ...(hostPath !== undefined && { hostPath }),
  };
}

interface Volume extends KubeObject {
  spec: { hostPath?: { path: string }; nodeAffinity?: { required?: unknown } };
}

/** Undefined: the claim is not bound yet. */
async function volumeOf(
  { client }: MountOptions,
  { spec: { volumeName } }: Claim,
  signal: AbortSignal,
): Promise<Volume | undefined> {
  if (volumeName === undefined) return undefined;
  return client.find<Volume>({ resource: wellKnown.persistentVolumes, name: volumeName }, { signal });
}

/** PersistentVolumes are made by administrators and provisioners: what they name is not a tenant's choice. */
function hostPathOf(volume: Volume): string | undefined {
  return volume.spec.hostPath?.path;
}

/** Where the pod runs is decided by the volume, and the taints of that node were tolerated by whoever used it. */
function isBoundToNodes(volume: Volume | undefined): boolean {
  return volume?.spec.nodeAffinity?.required !== undefined;
}

/**
 * A workload pod that is being started will mount the volume; with a placeholder beside it the two could want two nodes,
 * which only some access modes allow.
 */
function mayHold(claim: Claim, pods: readonly Pod[]): boolean {
  const live = pods.filter((pod) => !isDone(pod));
  if (isShared(claim)) return !live.some(isPlaceholder);
  return live.every((pod) => !isPlaceholder(pod) && pod.metadata.deletionTimestamp !== undefined);
}

/** Of another identity: kubelet gave the volume the group and the label of that one when it mounted it. */
function isStale(pod: Pod, placeholder: MountOptions['placeholder']): boolean {
  if (!isPlaceholder(pod) || pod.metadata.deletionTimestamp !== undefined) return false;
  return pod.metadata.annotations?.[annotation.placeholderContext] !== placeholderContextHash(placeholder);
}

async function createPlaceholder(options: MountOptions, claim: Claim, signal: AbortSignal): Promise<void> {
  const { client, namespace, placeholder } = options;
  const tolerateAll = isBoundToNodes(await volumeOf(options, claim, signal));
  const pod = placeholderPod({ ...placeholder, tolerateAll, namespace, claim });
  try {
    await client.create(wellKnown.pods, pod, { signal, fieldManager: FIELD_MANAGER });
  } catch (err) {
    if (!isAlreadyExists(err)) throw err;
    // One that is ending, or has ended: the next look decides again.
    const ref = { resource: wellKnown.pods, namespace, name: placeholderName(claim) };
    const old = await client.find<Pod>(ref, { signal });
    if (old !== undefined && isDone(old)) await removePlaceholder(options, old, signal);
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
