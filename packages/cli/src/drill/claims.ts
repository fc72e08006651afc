import { label } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import { CommandFailure } from '../failure.js';
import { DRILL_MANAGER } from './names.js';

export interface Claim extends KubeObject {
  readonly spec: {
    readonly volumeName?: string;
    readonly storageClassName?: string;
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
}

interface Volume extends KubeObject {
  readonly spec: {
    readonly persistentVolumeReclaimPolicy?: string;
    readonly claimRef?: { readonly uid?: string };
  };
}

/** What a claim of the standby says of itself or of the volume that it was given. */
const DROPPED = new Set(['volumeName', 'dataSource', 'dataSourceRef', 'selector']);
const PROVISIONED = 'pv.kubernetes.io/provisioned-by';

/** The claims of the standby that DR-Syncer has brought. @throws KubeError */
export async function standbyClaims(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<Claim[]> {
  const { items } = await client.list<Claim>(wellKnown.persistentVolumeClaims, {
    ...{ namespace, labelSelector: `${label.managedBy}=dr-syncer`, signal },
  });
  return items;
}

/**
 * A claim like the standby's, still without a volume. Pure.
 *
 * @param storageClass in place of the standby's own
 * @throws CommandFailure when nothing would make a volume for it
 */
export function drillClaim(
  { metadata, spec }: Claim,
  drill: string,
  { standby, storageClass }: { readonly standby: string; readonly storageClass: string | undefined },
): KubeObject {
  if (storageClass === undefined && spec.storageClassName === '') {
    throw new CommandFailure(
      `claim ${standby}/${metadata.name} has a volume that was made by hand (no storage class): ` +
        'name a class for the copies with --storage-class',
    );
  }
  const kept = Object.entries(spec).filter(([field]) => !DROPPED.has(field));
  return {
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
    metadata: { name: metadata.name, namespace: drill, labels: { [label.drillOf]: standby } },
    spec: {
      ...Object.fromEntries(kept),
      ...(storageClass !== undefined && { storageClassName: storageClass }),
    },
  };
}

/**
 * Has the volumes go with their claims, also where their class keeps them. Only those that were made for a claim of this
 * namespace.
 *
 * @returns names of volumes that will stay, since they can't be changed
 * @throws KubeError
 */
export async function letVolumesGo(
  client: KubeClient,
  drill: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { items } = await client.list<Claim>(wellKnown.persistentVolumeClaims, { namespace: drill, signal });
  const stay: string[] = [];
  for (const { metadata, spec } of items) {
    if (spec.volumeName === undefined) continue;
    const ref = { resource: wellKnown.persistentVolumes, name: spec.volumeName };
    const volume = await client.find<Volume>(ref, { signal }).catch(() => undefined);
    const keeps = volume !== undefined && volume.spec.persistentVolumeReclaimPolicy !== 'Delete';
    if (volume === undefined || !keeps || volume.spec.claimRef?.uid !== metadata.uid) continue;
    if (volume.metadata.annotations?.[PROVISIONED] === undefined) {
      stay.push(ref.name);
      continue;
    }
    const body = { spec: { persistentVolumeReclaimPolicy: 'Delete' } };
    await client.patch(ref, body, 'merge', { fieldManager: DRILL_MANAGER, signal }).catch(() => {
      stay.push(ref.name);
    });
  }
  return stay;
}
