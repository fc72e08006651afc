import { annotation, DrError } from '@dr-syncer/api';
import { isConflict, type KubeClient, type KubeObject, kubeToDrError, wellKnown } from '@dr-syncer/kube';
import { z } from 'zod';

/**
 * Whose standby a namespace is, in the annotation `dr-syncer.io/standby` of the Namespace itself: it lives exactly as
 * long as what it speaks of, and those who may only write into the namespace can't change it.
 */
const recordSchema = z.object({
  /** UID of the namespace kube-system of the source cluster. */
  cluster: z.string().max(128),
  namespace: z.string().max(253),
  /** UIDs by `namespace/name` of the Replication, the present one first, then those that it had before. */
  replications: z.record(z.string(), z.array(z.string()).max(8)),
});

export type StandbyRecord = z.infer<typeof recordSchema>;

export interface Claimant {
  readonly sourceCluster: string;
  readonly sourceNamespace: string;
  /** `namespace/name` of the Replication. */
  readonly replication: string;
  readonly uid: string;
}

const MAX_FORMER = 8;
const ATTEMPTS = 5;
/** Another manager than that of the copied objects, so that applying labels to the Namespace never removes the record. */
const RECORD_MANAGER = 'dr-syncer-record';

/**
 * Whether the application has been started here: the annotation `dr-syncer.io/active` with anything but "false". Then
 * nothing is written to the namespace any more, whatever the source wants.
 */
export function isActive(namespace: KubeObject): boolean {
  const value = namespace.metadata.annotations?.[annotation.active];
  return value !== undefined && value !== '' && value !== 'false';
}

/** @throws DrError StandbyActive */
export function refuseActive(namespace: KubeObject): void {
  if (!isActive(namespace)) return;
  throw new DrError(
    'StandbyActive',
    `namespace ${namespace.metadata.name} is active at the destination (annotation ${annotation.active})`,
  );
}

/** `undefined`: nobody has claimed the namespace. @throws DrError DestinationOwned for a record that can't be read */
export function recordOf(namespace: KubeObject): StandbyRecord | undefined {
  const text = namespace.metadata.annotations?.[annotation.standby];
  if (text === undefined) return undefined;
  const parsed = recordSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  // Not ours to interpret, so not ours to overwrite.
  throw new DrError(
    'DestinationOwned',
    `namespace ${namespace.metadata.name}: annotation ${annotation.standby} can't be read`,
  );
}

/**
 * The record with this Replication in it, or the same object when it is there already.
 *
 * @throws DrError DestinationOwned when the namespace is the standby of another source
 */
export function withClaimant(
  record: StandbyRecord | undefined,
  claimant: Claimant,
  name: string,
): StandbyRecord {
  const { sourceCluster: cluster, sourceNamespace: namespace, replication, uid } = claimant;
  if (record === undefined) return { cluster, namespace, replications: { [replication]: [uid] } };
  if (record.cluster !== cluster || record.namespace !== namespace) {
    const owner = `namespace ${record.namespace} of the cluster ${record.cluster}`;
    throw new DrError('DestinationOwned', `namespace ${name} at the destination is the standby of ${owner}`);
  }
  const known = record.replications[replication] ?? [];
  if (known[0] === uid) return record;
  const uids = [uid, ...known.filter((one) => one !== uid)].slice(0, MAX_FORMER);
  return { ...record, replications: { ...record.replications, [replication]: uids } };
}

/** UIDs whose objects are ours: those that this Replication, or one of the same name before it, has made. */
export function ownUids(record: StandbyRecord, { replication, uid }: Claimant): ReadonlySet<string> {
  return new Set([uid, ...(record.replications[replication] ?? [])]);
}

/**
 * Writes the claim down, unless it is there; only once it is, is anything else written to the namespace.
 *
 * @param namespace as it was read a moment ago
 * @throws DrError DestinationOwned, StandbyActive; KubeError
 */
export async function claimNamespace(
  remote: KubeClient,
  namespace: KubeObject,
  claimant: Claimant,
  signal: AbortSignal,
): Promise<StandbyRecord> {
  const ref = { resource: wellKnown.namespaces, name: namespace.metadata.name };
  let current = namespace;
  for (let attempt = 1; ; attempt += 1) {
    refuseActive(current);
    const before = recordOf(current);
    const record = withClaimant(before, claimant, ref.name);
    if (record === before) return record;
    try {
      const metadata = {
        resourceVersion: current.metadata.resourceVersion,
        annotations: { [annotation.standby]: JSON.stringify(record) },
      };
      await remote.patch(ref, { metadata }, 'merge', { fieldManager: RECORD_MANAGER, signal });
      return record;
    } catch (err) {
      if (!isConflict(err) || attempt === ATTEMPTS) throw kubeToDrError(err);
      current = await remote.get(ref, { signal });
    }
  }
}

/** Reads the Namespace, so that an activation of a moment ago is seen. @throws DrError StandbyActive; KubeError */
export async function checkStandby(remote: KubeClient, name: string, signal: AbortSignal): Promise<void> {
  refuseActive(await remote.get({ resource: wellKnown.namespaces, name }, { signal }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
