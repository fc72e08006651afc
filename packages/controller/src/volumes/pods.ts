import { DrError, label } from '@dr-syncer/api';
import type { WorkloadPod } from '@dr-syncer/identity';
import type { KubeObject } from '@dr-syncer/kube';

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
  spec: { volumeName?: string; volumeMode?: string; storageClassName?: string; accessModes?: string[] };
  status?: { phase?: string };
}

/** Names of the claims that a pod mounts. */
export function claimsOf(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => claim?.claimName ?? []);
}

/** Pods of the namespace that mount the claim, those of others before our own placeholder. */
export function podsOf(pods: readonly Pod[], claim: string): Pod[] {
  return pods
    .filter((pod) => claimsOf(pod).includes(claim))
    .sort((a, b) => Number(isPlaceholder(a)) - Number(isPlaceholder(b)));
}

export function isPlaceholder(pod: Pod): boolean {
  return pod.metadata.labels?.[label.placeholder] !== undefined;
}

/** kubelet has mounted all its volumes. It does so before it makes the sandbox, and that before it pulls images. */
export function holdsMount({ spec, status, metadata }: Pod): boolean {
  if (spec.nodeName === undefined || metadata.deletionTimestamp !== undefined) return false;
  if (status?.phase === 'Running') return true;
  const hasSandbox = status?.conditions?.some(
    ({ type, status: value }) => type === 'PodReadyToStartContainers' && value === 'True',
  );
  return status?.phase === 'Pending' && hasSandbox === true;
}

/** What the identity is worked out from: the contexts of the pods that mount the claim. */
export function workloadPods(pods: readonly Pod[], claim: string): WorkloadPod[] {
  return podsOf(pods, claim)
    .filter((pod) => !isPlaceholder(pod))
    .map((pod) => {
      const names = (pod.spec.volumes ?? [])
        .filter((one) => one.persistentVolumeClaim?.claimName === claim)
        .map((one) => one.name);
      return podView(pod.metadata.name, pod.spec, names);
    });
}

/** A pod as far as an identity looks at it: its context, and those of the containers that mount one of the volumes. */
export function podView(name: string, spec: Pod['spec'], volumes: readonly string[]): WorkloadPod {
  const containers = (spec.containers ?? []).filter((container) =>
    container.volumeMounts?.some((mount) => volumes.includes(mount.name)),
  );
  return {
    name,
    securityContext: spec.securityContext,
    containers: containers.map((one) => ({ name: one.name, securityContext: one.securityContext })),
  };
}

/** Its containers have ended and are not started again. */
export function isDone(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Several nodes may mount the claim at once. */
export function isShared({ spec }: Claim): boolean {
  return spec.accessModes?.some((mode) => mode === 'ReadWriteMany' || mode === 'ReadOnlyMany') === true;
}

/** A pod of somebody else that has the claim mounted or is about to; one that ends has it for a while, too. */
export function workloadOf(pods: readonly Pod[], claim: string): Pod | undefined {
  return pods.find((pod) => !isPlaceholder(pod) && !isDone(pod) && claimsOf(pod).includes(claim));
}

export function destinationInUse(namespace: string, claim: string, { metadata }: Pod): DrError {
  return new DrError(
    'DestinationInUse',
    `claim ${namespace}/${claim} is used by pod ${metadata.name} at the destination`,
  );
}
