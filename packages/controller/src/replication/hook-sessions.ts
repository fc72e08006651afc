import type { Replication } from '@dr-syncer/api';
import { wellKnown } from '@dr-syncer/kube';

import { type HookSession, sessionsOf } from '../volumes/hooks/sessions.js';
import type { Pod } from '../volumes/pods.js';
import type { Way } from './copy-volume.js';

/** What is to be done now in pods around the copying of these claims. @throws DrError HookInvalid; KubeError */
export async function hookSessions(
  { replication }: { readonly replication: Replication },
  claims: readonly string[],
  { source }: Pick<Way, 'source'>,
  signal: AbortSignal,
): Promise<HookSession[]> {
  if (claims.length === 0) return [];
  const namespace = source.namespace.metadata.name;
  const { items } = await source.cluster.client.list<Pod>(wellKnown.pods, { namespace, signal });
  return sessionsOf(replication.spec.pvcConfig.hooks, items, claims);
}
