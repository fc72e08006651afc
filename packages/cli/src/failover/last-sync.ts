import { LAST_SYNC_CONFIG_MAP, type LastSync, lastSyncSchema } from '@dr-syncer/controller';
import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

/** What the syncs into a namespace have left there, by `namespace/name` of the Replication. */
export async function readLastSyncs(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<Map<string, LastSync>> {
  const ref = { resource: wellKnown.configMaps, namespace, name: LAST_SYNC_CONFIG_MAP };
  const found = await client.find<KubeObject & { data?: Record<string, string> }>(ref, { signal });
  const entries = Object.values(found?.data ?? {}).flatMap((text) => {
    const parsed = lastSyncSchema.safeParse(jsonOf(text));
    return parsed.success ? [[parsed.data.replication, parsed.data] as const] : [];
  });
  return new Map(entries);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
