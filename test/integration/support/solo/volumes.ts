import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { type KubeClient, type KubeObject, refOf, wellKnown } from '@dr-syncer/kube';

const run = promisify(execFile);

export interface VolumeNode {
  readonly client: KubeClient;
  /** The node's name. */
  readonly name: string;
  /** The kubelet's directory, as the agent knows it. */
  readonly kubeletDir: string;
  /** Where the volumes lie. */
  readonly volumesDir: string;
}

interface Pod extends KubeObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly volumes?: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[];
  };
  readonly status?: { readonly phase?: string };
}
interface Claim extends KubeObject {
  readonly spec: { readonly volumeName?: string };
}

/** Directory of the volume of a claim. */
export function volumeDir({ volumesDir }: Pick<VolumeNode, 'volumesDir'>, claim: KubeObject): string {
  return join(volumesDir, claim.metadata.uid ?? '');
}

/**
 * Stands for provisioner, scheduler and kubelet, as far as pods with claims are concerned: each claim that a pod wants
 * gets a directory, each pod runs at once, with its volumes mounted as kubelet mounts local volumes. Needs root.
 */
export async function playVolumes(node: VolumeNode, signal: AbortSignal): Promise<void> {
  const mounted = new Map<string, string[]>();
  const aborted = () => signal.aborted;
  while (!aborted()) {
    try {
      await look(node, mounted);
    } catch (err) {
      if (!aborted()) process.stderr.write(`fake kubelet: ${String(err)}\n`);
    }
    await sleep(50, undefined, { signal }).catch(() => undefined);
  }
  for (const paths of mounted.values()) for (const path of paths) await unmount(path);
}

async function look(node: VolumeNode, mounted: Map<string, string[]>): Promise<void> {
  const { items } = await node.client.list<Pod>(wellKnown.pods);
  const pods = items.filter((pod) => claimNames(pod).length > 0);
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp !== undefined) await end(node, pod, mounted);
    else if (pod.status?.phase !== 'Running') await begin(node, pod, mounted);
  }
  const present = new Set(pods.map(({ metadata }) => metadata.uid ?? ''));
  for (const [uid, paths] of mounted) {
    if (present.has(uid)) continue;
    // As kubelet does: again and again, while somebody has it open.
    const left: string[] = [];
    for (const path of paths) if (!(await unmount(path))) left.push(path);
    if (left.length === 0) mounted.delete(uid);
    else mounted.set(uid, left);
  }
}

function claimNames({ spec }: Pod): string[] {
  return (spec.volumes ?? []).flatMap((one) => one.persistentVolumeClaim?.claimName ?? []);
}

async function begin(node: VolumeNode, pod: Pod, mounted: Map<string, string[]>): Promise<void> {
  const { client, name, kubeletDir } = node;
  const { namespace = '', uid = '' } = pod.metadata;
  const paths = mounted.get(uid) ?? [];
  mounted.set(uid, paths);
  for (const claimName of claimNames(pod)) {
    const ref = { resource: wellKnown.persistentVolumeClaims, namespace, name: claimName };
    const claim = await client.find<Claim>(ref);
    if (claim === undefined) return;
    const volume = claim.spec.volumeName ?? (await bind(node, claim));
    const path = join(kubeletDir, 'pods', uid, 'volumes/kubernetes.io~local-volume', volume);
    if (paths.includes(path)) continue;
    await mkdir(path, { recursive: true });
    await run('mount', ['--bind', volumeDir(node, claim), path]);
    paths.push(path);
  }
  if (pod.spec.nodeName === undefined) {
    const binding = {
      ...{ apiVersion: 'v1', kind: 'Binding', metadata: { name: pod.metadata.name, namespace } },
      target: { apiVersion: 'v1', kind: 'Node', name },
    };
    await client.create(wellKnown.pods, binding, { subresource: 'binding' });
  }
  const status = { phase: 'Running', podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] };
  const body = { metadata: { uid }, status };
  await client.patch(refOf(wellKnown.pods, pod), body, 'merge', { subresource: 'status' });
}

async function end({ client }: VolumeNode, pod: Pod, mounted: Map<string, string[]>): Promise<void> {
  const paths = mounted.get(pod.metadata.uid ?? '') ?? [];
  for (const path of [...paths]) {
    // The pod stays until its volumes are unmounted, and they stay while somebody has them open.
    if (!(await unmount(path))) return;
    paths.splice(paths.indexOf(path), 1);
  }
  // One that was deleted without any grace is there for a moment more; by now another one may have its name.
  const preconditions = { uid: pod.metadata.uid };
  await client
    .delete(refOf(wellKnown.pods, pod), { gracePeriodSeconds: 0, preconditions })
    .catch(() => undefined);
}

async function bind(node: VolumeNode, claim: Claim): Promise<string> {
  const { client } = node;
  const { uid = '', namespace = '', name } = claim.metadata;
  const volume = `pv-${uid}`;
  await mkdir(volumeDir(node, claim), { recursive: true });
  await client.create(wellKnown.persistentVolumes, {
    ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: volume } },
    spec: {
      ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'solo' },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      local: { path: volumeDir(node, claim) },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node.name] }] },
          ],
        },
      },
    },
  });
  const ref = { resource: wellKnown.persistentVolumeClaims, namespace, name };
  await client.patch(ref, { spec: { volumeName: volume } }, 'merge');
  await client.patch(ref, { status: { phase: 'Bound' } }, 'merge', { subresource: 'status' });
  return volume;
}

/** False: somebody has it open. */
async function unmount(path: string): Promise<boolean> {
  try {
    await run('umount', [path]);
  } catch (err) {
    return /not mounted|no mount point/.test(String(err));
  }
  await rm(path, { recursive: true, force: true });
  return true;
}
