import { FIELD_MANAGER } from '@dr-syncer/api';
import { isNotFound, type KubeClient, wellKnown } from '@dr-syncer/kube';
import { z } from 'zod';

/**
 * ConfigMap in the destination namespace with what the last sync of each Replication has left there. On the day the
 * source is gone it is the only thing that says how old the standby is.
 */
export const LAST_SYNC_CONFIG_MAP = 'dr-syncer-last-sync';

const time = z.iso.datetime();

export const lastSyncSchema = z.object({
  /** `namespace/name` of the Replication in the source cluster. */
  replication: z.string(),
  result: z.enum(['Completed', 'Failed']),
  /** Why, as in its condition. */
  message: z.string(),
  endedAt: time,
  /** Start of the last sync that copied everything: the state of the source that is here. */
  successAt: time.optional(),
  objects: z.object({ synced: z.number(), failed: z.number() }),
  volumes: z.array(z.object({ claim: z.string(), phase: z.string(), successAt: time.optional() })).max(100),
});

export type LastSync = z.infer<typeof lastSyncSchema>;

/**
 * Leaves the record at the destination. A namespace that is gone has no use for it.
 *
 * @throws KubeError
 */
export async function writeLastSync(
  remote: KubeClient,
  namespace: string,
  sync: LastSync,
  signal: AbortSignal,
): Promise<void> {
  // Several Replications may share a namespace: each owns its own key and nothing else.
  const manager = `${FIELD_MANAGER}-${sync.replication}`.slice(0, 128);
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: LAST_SYNC_CONFIG_MAP, namespace },
    data: { [sync.replication.replace('/', '.')]: JSON.stringify(sync) },
  };
  try {
    await remote.apply(wellKnown.configMaps, object, { fieldManager: manager, force: true, signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
}
