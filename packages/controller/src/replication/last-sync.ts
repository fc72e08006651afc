import { createHash } from 'node:crypto';

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
  const key = recordKey(sync.replication);
  // Several Replications may share a namespace: each owns its own key and nothing else.
  const manager = within(MAX_MANAGER, `${FIELD_MANAGER}-${key}`);
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: LAST_SYNC_CONFIG_MAP, namespace },
    data: { [key]: JSON.stringify(sync) },
  };
  try {
    await remote.apply(wellKnown.configMaps, object, { fieldManager: manager, force: true, signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
}

/** Limits of the API server for field managers and for keys of a ConfigMap. */
const MAX_MANAGER = 128;
const MAX_KEY = 253;

/** @param replication `namespace/name` */
function recordKey(replication: string): string {
  return within(MAX_KEY, replication.replace('/', '.'));
}

/** Cut to the length with a hash at its end, so that two that begin alike stay two. */
function within(length: number, text: string): string {
  if (text.length <= length) return text;
  const end = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return `${text.slice(0, length - end.length - 1)}-${end}`;
}
