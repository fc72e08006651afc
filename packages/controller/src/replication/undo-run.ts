import { HOOKS_FINALIZER, type OpenHook, type Replication, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type EventRecorder, isNotFound, type KubeObject, refOf, removeFinalizer } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { Cluster } from '../clusters/cluster.js';
import { parseReplication, replications } from '../custom-resources.js';
import { HookBook } from '../volumes/hooks/hook-book.js';
import { Quiesce } from '../volumes/hooks/quiesce.js';
import type { HookServices } from './copy-at-rest.js';
import type { News } from '../volumes/identity-conditions.js';
import { ReplicationProgress } from './progress.js';
import { StatusWriter } from './status-writer.js';

export interface UndoRunDeps {
  readonly source: Cluster;
  readonly events: EventRecorder;
  readonly logger: Logger;
  readonly ended: HookServices['ended'];
}

/** Whether pods are to be brought back from rest, or the mark of it is left. */
export function owesHooks(object: KubeObject, { status }: Replication): boolean {
  return isOwed(status) || object.metadata.finalizers?.includes(HOOKS_FINALIZER) === true;
}

function isOwed(status: Replication['status']): boolean {
  return (status?.hooks?.open ?? []).length > 0;
}

/**
 * Runs the post hooks that a controller before this one, or a sync that failed at it, has left on record. Pods one beside
 * the other, the hooks of one in their order.
 *
 * @returns whether nothing is owed any more
 * @throws KubeError, DrError: the record could not be read or written
 */
export async function undoHooks(deps: UndoRunDeps, seen: KubeObject, undo: AbortSignal): Promise<boolean> {
  const { source, events, logger } = deps;
  const { client } = source;
  let object: KubeObject;
  try {
    // The mirror may not have seen yet that it was done.
    object = await client.get(refOf(replications, seen), { signal: undo });
  } catch (err) {
    if (isNotFound(err)) return true;
    throw err;
  }
  const parsed = parseReplication(object);
  if (!parsed.ok) return false;
  const replication = parsed.value;
  if (isOwed(replication.status)) {
    const progress = new ReplicationProgress(replication);
    const writer = new StatusWriter(client, object, () => shown(progress, replication));
    const book = new HookBook({
      ...{ client, ref: refOf(replications, object), status: replication.status?.hooks },
      save: async (hooks) => {
        progress.set({ hooks });
        await writer.flush();
      },
    });
    const tell = (news: News): void => events.record({ regarding: object, ...news });
    await undoOpen({ client, book, undo, ended: deps.ended, tell }, replication);
    await book.save();
    logger.info('hooks that were owed', { left: book.open.length });
    return book.open.length === 0;
  }
  await removeFinalizer(client, replications, object, HOOKS_FINALIZER, { signal: undo });
  return true;
}

async function undoOpen(
  options: ConstructorParameters<typeof Quiesce>[0],
  { metadata }: Replication,
): Promise<void> {
  const byPod = new Map<string, OpenHook[]>();
  for (const hook of options.book.open) byPod.set(hook.podUid, [...(byPod.get(hook.podUid) ?? []), hook]);
  await Promise.all(
    [...byPod.values()].map(async (hooks) => {
      for (const hook of hooks) {
        // As for syncs: outside of the product's namespace a Replication is for its own alone.
        const isOwn = metadata.namespace === SYSTEM_NAMESPACE || hook.namespace === metadata.namespace;
        if (isOwn) await new Quiesce(options, hook.namespace).run(hook, hook, hook);
      }
    }),
  );
}

/** Without volumes there is nothing to say about them. */
function shown(progress: ReplicationProgress, { status }: Replication): object {
  const { volumes, volumesSummary, ...rest } = progress.snapshot();
  return status?.volumes === undefined ? rest : { ...rest, volumes, volumesSummary };
}
