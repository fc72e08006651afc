import { randomBytes } from 'node:crypto';

import { annotation, type ReplicationStatus } from '@dr-syncer/api';
import { parseReplication, replications, routeOf } from '@dr-syncer/controller';
import type { KubeClient, KubeObject } from '@dr-syncer/kube';

import { CommandFailure } from '../failure.js';

/** Fields that a person's command wrote, apart from those of the controller. */
const FIELD_MANAGER = 'dr-syncer-cli';

/** A sync that was asked for. */
export interface Requested {
  readonly namespace: string;
  readonly name: string;
  /** Value of the annotation. */
  readonly request: string;
  /** The request that was answered last when this one was made. */
  readonly before: string | undefined;
}

/** Says who asked and when, so that a person who finds it on the object knows. */
export function newRequest(now: Date): string {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  return `cli-${time}-${randomBytes(3).toString('hex')}`;
}

/**
 * Why a sync that is asked for would never begin; nothing when it would.
 *
 * @throws DrError NamespaceNotAllowed
 */
export function obstacleTo(object: KubeObject): string | undefined {
  const parsed = parseReplication(object);
  if (!parsed.ok) return parsed.problem;
  if (parsed.value.spec.paused) return 'it is paused (spec.paused), so nothing would be synced';
  if (object.metadata.deletionTimestamp !== undefined) return 'it is being deleted';
  routeOf(parsed.value);
  return undefined;
}

/**
 * @param verify `MODE` or `MODE:CLAIM`: how the copies of this sync alone are checked, all or one
 * @throws KubeError; DrError NamespaceNotAllowed; CommandFailure when no sync would come of it
 */
export async function requestSync(
  client: Pick<KubeClient, 'get' | 'patch'>,
  namespace: string,
  name: string,
  signal: AbortSignal,
  verify?: string,
): Promise<Requested> {
  const ref = { resource: replications, namespace, name };
  const present = await client.get(ref, { signal });
  const obstacle = obstacleTo(present);
  if (obstacle !== undefined) throw new CommandFailure(`Replication ${namespace}/${name}: ${obstacle}`);
  const request = newRequest(new Date());
  const annotations = {
    [annotation.syncNow]: request,
    ...(verify !== undefined && { [annotation.verify]: `${verify}=${request}` }),
  };
  const body = { metadata: { annotations } };
  const object = await client.patch(ref, body, 'merge', { fieldManager: FIELD_MANAGER, signal });
  const { lastSyncRequest } = (object['status'] ?? {}) as ReplicationStatus;
  return { namespace, name, request, before: lastSyncRequest };
}

/** How a request stands. */
export type Answer =
  | { readonly state: 'waiting' | 'running' }
  | { readonly state: 'ended'; readonly ok: boolean; readonly reason: string; readonly message: string };

/**
 * How the request stands, by what the Replication says now. A later request of somebody else takes its place, as it does
 * for the controller, and its answer is good for this one too. Pure.
 *
 * @param object undefined: it is gone
 */
export function answerTo(
  { request, before }: Pick<Requested, 'request' | 'before'>,
  object: KubeObject | undefined,
): Answer {
  if (object === undefined) return ended(false, 'Deleted', 'the Replication was deleted');
  const status = (object['status'] ?? {}) as ReplicationStatus;
  const { lastSyncRequest } = status;
  const asked = object.metadata.annotations?.[annotation.syncNow] || undefined;
  const isLater = lastSyncRequest !== before && (asked === undefined || asked === lastSyncRequest);
  // The status is written as a whole, at the end of the run.
  if (lastSyncRequest === request || isLater) return resultOf(status);
  if (isPaused(object)) return ended(false, 'Paused', 'it was paused meanwhile');
  if (asked === undefined) {
    return ended(false, 'Withdrawn', `the annotation ${annotation.syncNow} was removed before it was served`);
  }
  return { state: status.phase === 'Running' ? 'running' : 'waiting' };
}

function resultOf({ phase, conditions = [] }: ReplicationStatus): Answer {
  const ready = conditions.find(({ type }) => type === 'Ready');
  return ended(phase === 'Completed', ready?.reason ?? '', ready?.message ?? '');
}

function ended(ok: boolean, reason: string, message: string): Answer {
  return { state: 'ended', ok, reason, message };
}

function isPaused(object: KubeObject): boolean {
  return (object['spec'] as { paused?: boolean } | undefined)?.paused === true;
}
