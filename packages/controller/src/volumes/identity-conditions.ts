import type { Replication, ReplicationStatus, VolumeStatus } from '@dr-syncer/api';
import type { PrivilegeDecision } from '@dr-syncer/identity';
import { type EventInput, findCondition, type NewCondition } from '@dr-syncer/kube';

/** On a Replication: whether its transfers run privileged, and since when. */
export const PRIVILEGED_CONDITION = 'PrivilegedMovers';

export type News = Pick<EventInput, 'type' | 'reason' | 'action' | 'message'>;

export function privilegeCondition({ privileged, code, reason }: PrivilegeDecision): NewCondition {
  const status = privileged ? 'True' : 'False';
  return { type: PRIVILEGED_CONDITION, status, reason: code, message: `${sentence(reason)}.` };
}

/**
 * What to tell of a decision about privilege, given what the status said before: nothing when it is as it was.
 *
 * @param before the status as the last sync left it
 */
export function privilegeNews(
  before: Pick<ReplicationStatus, 'conditions'> | undefined,
  decision: PrivilegeDecision,
): News | undefined {
  const old = findCondition(before?.conditions, PRIVILEGED_CONDITION);
  const { privileged, requested, code, reason } = decision;
  const action = 'Sync';
  if (privileged && old?.status !== 'True') {
    const message = `Transfers run privileged: ${reason}.`;
    return { type: 'Normal', reason: 'PrivilegedMoversOn', action, message };
  }
  if (!privileged && old?.status === 'True') {
    const message = `Transfers run unprivileged from this sync on: ${reason}.`;
    return { type: 'Warning', reason: 'PrivilegedMoversOff', action, message };
  }
  if (requested && !privileged && old?.reason !== code) {
    const message = `Transfers run unprivileged: ${reason}.`;
    return { type: 'Warning', reason: 'PrivilegedMoversRefused', action, message };
  }
  return undefined;
}

/**
 * One event for each set of losses that is new for the volumes that have it. A volume whose copy failed has none that
 * are known.
 */
export function lossNews(
  before: Pick<Replication, 'status'>['status'],
  after: readonly VolumeStatus[],
): News[] {
  const old = new Map((before?.volumes ?? []).map((volume) => [volume.name, lossesText(volume)]));
  const found = new Map<string, string[]>();
  for (const volume of after) {
    const text = lossesText(volume);
    if (volume.phase !== 'Succeeded' || text === '' || old.get(volume.name) === text) continue;
    found.set(text, [...(found.get(text) ?? []), volume.name]);
  }
  return [...found].map(([text, names]) => ({
    ...{ type: 'Warning', reason: 'AttributesNotKept', action: 'Sync' },
    message: `${someNames(names)}: the copy does not have ${text}.`,
  }));
}

const SHOWN_NAMES = 5;

function someNames(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES).join(', ');
  const more = names.length - SHOWN_NAMES;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function lossesText({ losses = [] }: Pick<VolumeStatus, 'losses'>): string {
  return losses.map(({ description }) => description).join('; ');
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
