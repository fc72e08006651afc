import { DrError, label } from '@dr-syncer/api';
import { type ApiResource, isNotFound, KubeError, type KubeObject, kubeToDrError } from '@dr-syncer/kube';
import PQueue from 'p-queue';

import type { Cluster } from '../clusters/cluster.js';
import type { EngineHub } from './hub.js';
import { rankOf } from './order.js';
import { standbyTransform } from './snapshots.js';
import { checkStandby } from './standby-record.js';
import { Writer } from './writer.js';

export interface StandbyRemoval {
  readonly hub: EngineHub;
  readonly remote: Cluster;
  readonly namespace: string;
  /** UID of the Replication that made the objects. */
  readonly uid: string;
  /** PersistentVolumeClaims too, and with them the data. */
  readonly claims: boolean;
}

const PARALLEL_LISTS = 8;

/**
 * Removes every object that the Replication made in the namespace, those that others need last. The namespace stays.
 *
 * @returns how many objects were removed
 * @throws DrError StandbyActive; the first thing that went wrong, when not all could be removed
 */
export async function removeStandby(removal: StandbyRemoval, signal: AbortSignal): Promise<number> {
  const { hub, remote, namespace, claims } = removal;
  await checkStandby(remote.client, namespace, signal);
  const types = await remote.discovery.resources({ namespaced: true, verbs: ['list', 'delete'] }, signal);
  const wanted = types.filter(({ group, plural }) => claims || group !== '' || plural !== CLAIMS);
  const lists = new PQueue({ concurrency: PARALLEL_LISTS });
  const found = await lists.addAll(wanted.map((type) => () => listOwn(removal, type, signal)));
  const doomed = found.flat().sort((a, b) => rankOf(b.type.kind) - rankOf(a.type.kind));
  const { writes } = hub.acquire(remote);
  const writer = new Writer({
    // Nothing is applied here.
    immutable: () => 'Fail',
    ...{ client: remote.client, queue: writes, conflicts: { default: 'Report' } },
    check: () => Promise.resolve(),
  });
  let removed = 0;
  let problem: DrError | undefined;
  try {
    for (const { type, object } of doomed) {
      const entry = standbyTransform(type, namespace)(object);
      if (entry === undefined) continue;
      try {
        await writer.remove(type, entry, signal);
        removed += 1;
      } catch (err) {
        signal.throwIfAborted();
        problem ??= kubeToDrError(err);
      }
    }
  } finally {
    hub.release(remote);
  }
  if (problem !== undefined) throw problem;
  return removed;
}

const CLAIMS = 'persistentvolumeclaims';

async function listOwn(
  { remote, namespace, uid }: StandbyRemoval,
  type: ApiResource,
  signal: AbortSignal,
): Promise<{ type: ApiResource; object: KubeObject }[]> {
  try {
    const labelSelector = `${label.replication}=${uid}`;
    const { items } = await remote.client.list(type, { namespace, labelSelector, signal });
    return items.map((object) => ({ type, object }));
  } catch (err) {
    // Not a stored type, or one that went away meanwhile.
    if (isNotFound(err) || (err instanceof KubeError && err.status === 405)) return [];
    throw err;
  }
}
