import type { EndIdentity, Identity, VolumeIdentity, VolumeStatus } from '@dr-syncer/api';
import { idMapLosses, type Loss, losses as lossTexts, mapPairs, senderOptions } from '@dr-syncer/identity';

import type { IdentityDecision, Origins, TransferIdentities } from './identities.js';

const MAX_NOTES = 16;
const MAX_NOTE = 500;

/** What `status.volumes[].identity` says of a decision, of a refused one too. */
export function identityStatus(decision: IdentityDecision): VolumeIdentity {
  const { privilege, source, destination, idMap, notes } = decision;
  return {
    privileged: privilege.privileged,
    reason: privilege.reason,
    ...(source.ok && { source: endStatus(source.identity, source.origins) }),
    ...(destination.ok && { destination: endStatus(destination.identity, destination.origins) }),
    ...(idMap.users.length + idMap.groups.length > 0 && {
      idMap: { users: mapPairs(idMap.users), groups: mapPairs(idMap.groups) },
    }),
    ...(notes.length > 0 && { notes: notes.slice(0, MAX_NOTES).map((note) => note.slice(0, MAX_NOTE)) }),
  };
}

/** Privilege is of both ends, and said once. */
function endStatus(identity: Identity, origins: Origins): EndIdentity {
  const without = <T extends object>(all: T): Omit<T, 'privileged'> =>
    Object.fromEntries(Object.entries(all).filter(([field]) => field !== 'privileged')) as Omit<
      T,
      'privileged'
    >;
  return { ...without(identity), origins: without(origins) };
}

/** What this receiver cannot keep of the files, without an error. */
export function lossesOf(
  { destination, idMap }: Pick<TransferIdentities, 'destination' | 'idMap'>,
  facts: { readonly rootModesAgree: boolean },
): Loss[] {
  // Whether something is deleted changes nothing of what is lost.
  return [...senderOptions(destination, { delete: true, ...facts }).losses, ...idMapLosses(idMap)];
}

export type Losses = NonNullable<VolumeStatus['losses']>;

export function lossesStatus(found: readonly Loss[]): Losses {
  return found.map((what) => ({ what, description: lossTexts[what] }));
}
