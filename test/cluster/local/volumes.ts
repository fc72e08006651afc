import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiClient } from '../api-client.js';
import type { ClusterPlan, NodePlan } from './plan.js';

// Nominal: the directories share one disk. Claims get the smallest volume that fits.
const sizes = ['1Gi', '1Gi', '1Gi', '1Gi', '2Gi', '2Gi', '2Gi', '5Gi', '5Gi', '5Gi', '5Gi', '10Gi'] as const;

const collection = '/api/v1/persistentvolumes';
const nodeLabel = 'dr-syncer-test-cluster/node';

interface Volume {
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  readonly spec: {
    readonly capacity: { readonly storage: string };
    readonly local?: { readonly path: string };
    readonly claimRef?: object;
  };
  readonly status?: { readonly phase?: string };
}

/** The class that binds when a pod is scheduled, as the volumes of real nodes do. */
export async function ensureStorageClass(api: ApiClient, plan: ClusterPlan): Promise<void> {
  await api.apply(`/apis/storage.k8s.io/v1/storageclasses/${plan.storageClass}`, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: plan.storageClass },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
}

/**
 * Removes volumes whose claim is gone, with their data, and fills the pool up: on each node one unclaimed volume
 * of every entry of `sizes`. A name is never used twice, as on a real cluster.
 */
export async function recycleVolumes(api: ApiClient, plan: ClusterPlan): Promise<void> {
  const volumes = (await api.get<{ items: Volume[] }>(`${collection}?labelSelector=${nodeLabel}`)).items;
  for (const volume of volumes) {
    if (volume.status?.phase !== 'Released' && volume.status?.phase !== 'Failed') continue;
    await api.delete(`${collection}/${volume.metadata.name}`);
    const path = volume.spec.local?.path;
    if (path?.startsWith(plan.directory) === true) await rm(path, { recursive: true, force: true });
  }
  for (const node of plan.nodes) {
    const free = volumes
      .filter(
        ({ metadata, spec }) => metadata.labels?.[nodeLabel] === node.name && spec.claimRef === undefined,
      )
      .map(({ spec }) => spec.capacity.storage);
    for (const size of missing(free)) await addVolume(api, plan, node, size);
  }
}

function missing(free: readonly string[]): string[] {
  const left = [...free];
  return sizes.filter((size) => {
    const index = left.indexOf(size);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

/** Adds one volume: a directory of the node and the object that names it. Gives its name. */
export async function addVolume(
  api: ApiClient,
  plan: ClusterPlan,
  node: NodePlan,
  size: string,
  directory?: string,
): Promise<string> {
  const name = `local-pv-${randomBytes(4).toString('hex')}`;
  const path = directory ?? join(node.directory, 'volumes', name);
  await mkdir(path, { recursive: true, mode: 0o755 });
  await api.apply(`${collection}/${name}`, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, labels: { [nodeLabel]: node.name } },
    spec: {
      capacity: { storage: size },
      accessModes: ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: plan.storageClass,
      local: { path },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node.name] }] },
          ],
        },
      },
    },
  });
  return name;
}
