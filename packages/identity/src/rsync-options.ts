import type { Identity, IdMap } from '@dr-syncer/api';
import { mapText } from './id-map.js';

/** What of the receiving identity decides how rsync is called, at both ends. */
export type ReceivingIdentity = Pick<Identity, 'uid' | 'capabilities' | 'privileged' | 'fsGroup'>;

export interface TransferFacts {
  /** `--delete` is part of the command. */
  readonly delete: boolean;
  /**
   * The root directories of both volumes have the same mode, with what `fsGroup` adds counted in. Only then can an
   * unprivileged receiver, who mostly doesn't own its volume's root, be asked to keep modes.
   */
  readonly rootModesAgree: boolean;
}

/** What a copy leaves behind without an error; for status and documentation. */
export const losses = {
  owners: 'owners and groups: files belong to the user of the receiver',
  acls: 'access control lists',
  aclIds:
    'access control lists as they are meant: their entries keep the ids of the source, also those that are others here',
  devices: 'device nodes',
  fileCapabilities: 'file capabilities',
  foreignXattrs: 'extended attributes outside of "user" (SELinux labels are those of the destination)',
  directoryTimes: 'modification times of directories',
  root: 'owner, mode and times of the root directory',
  modes:
    'setuid, setgid and sticky bits, and changes of mode of what is there already (but for the executable bit)',
  fsGroupModes: 'group, and modes where fsGroup widens them',
} as const;
export type Loss = keyof typeof losses;

export interface RsyncIdentityOptions {
  readonly options: readonly string[];
  readonly losses: readonly Loss[];
}

/** kubelet's fsGroup, as chmod: 0660 for all, setgid and 0110 too for directories (pkg/volume/volume_linux.go). */
const FS_GROUP_CHMOD = '--chmod=ug+rw,Dug+x,Dg+s';

/**
 * Options of the rsync that sends: all that says which attributes travel. They follow from who receives; whether
 * this end may read everything is up to its capabilities.
 *
 * Measured with rsync 3.5.0 (`receiver-matrix.test.ts` of the agent repeats it).
 */
export function senderOptions(receiving: ReceivingIdentity, facts: TransferFacts): RsyncIdentityOptions {
  return receiving.privileged ? privilegedSender(receiving, facts) : unprivilegedSender(receiving, facts);
}

function privilegedSender(receiving: ReceivingIdentity, facts: TransferFacts): RsyncIdentityOptions {
  const devices = receiving.capabilities.includes('MKNOD');
  const fileCapabilities = receiving.capabilities.includes('SETFCAP');
  return {
    options: [
      '-aHAXS',
      '--numeric-ids',
      // Fifos and sockets take no capability.
      ...(devices ? [] : ['--no-devices']),
      ...(givesFsGroup(receiving) ? [FS_GROUP_CHMOD] : []),
      ...privilegedXattrs(fileCapabilities, facts),
    ],
    losses: [
      'foreignXattrs',
      ...(devices ? [] : (['devices'] as const)),
      ...(fileCapabilities ? [] : (['fileCapabilities'] as const)),
      ...(givesFsGroup(receiving) ? (['fsGroupModes'] as const) : []),
    ],
  };
}

/**
 * Labels never cross clusters, and trusted.* would take CAP_SYS_ADMIN. One rule of this kind turns off rsync's own
 * choice, so that "system" (kept by -A) has to be named too.
 *
 * The receiver must know the rules as well, or it takes a label that the source has not for one to be removed, which
 * SELinux forbids. It is told them when something may be deleted (exclude.c, send_filter_list). Else
 * --prune-empty-dirs makes the sender tell them, and "P *" protects every directory from being pruned.
 */
function privilegedXattrs(fileCapabilities: boolean, facts: TransferFacts): string[] {
  return [
    ...(fileCapabilities ? ['--filter=+x security.capability'] : []),
    '--filter=-x security.*',
    '--filter=-x trusted.*',
    '--filter=-x system.*',
    ...(facts.delete ? [] : ['--prune-empty-dirs', '--filter=P *']),
  ];
}

/**
 * The root directory of a volume belongs to root with the fsGroup: its owner, mode and times can't be set by the
 * receiver, and rsync has no way to leave out one directory. So no directory times, and modes only where the root's
 * would not change. (A list of the root's entries in its place, as VolSync has it, never deletes any of them.)
 *
 * A receiver that is not root minds only user.*, so it leaves labels alone by itself.
 */
function unprivilegedSender(receiving: ReceivingIdentity, facts: TransferFacts): RsyncIdentityOptions {
  const modes = facts.rootModesAgree;
  return {
    options: [
      '-rltHXS',
      '--specials',
      '--numeric-ids',
      '--omit-dir-times',
      modes ? '--perms' : '--executability',
      ...(givesFsGroup(receiving) ? [FS_GROUP_CHMOD] : []),
      '--filter=-x! user.*',
    ],
    losses: [
      'owners',
      'acls',
      'devices',
      'fileCapabilities',
      'foreignXattrs',
      'directoryTimes',
      'root',
      ...(modes ? [] : (['modes'] as const)),
      ...(givesFsGroup(receiving) ? (['fsGroupModes'] as const) : []),
    ],
  };
}

/**
 * Words to put into the argv of `rsync --server`, before the dot. rsync goes by uid 0 or --super, never by
 * capabilities: without --super a user with CAP_CHOWN keeps no owner and says nothing, and without --no-super a root
 * with none fails at each file.
 */
export function receiverOptions(
  receiving: ReceivingIdentity,
  map: IdMap = { users: [], groups: [] },
): string[] {
  if (!receiving.privileged) return ['--no-super'];
  const users = mapText(map.users);
  // All groups become the fsGroup, as kubelet would make them: no second pass is needed.
  const groups = givesFsGroup(receiving) ? `*:${receiving.fsGroup}` : mapText(map.groups);
  return [
    '--super',
    ...(users === '' ? [] : [`--usermap=${users}`]),
    ...(groups === '' ? [] : [`--groupmap=${groups}`]),
  ];
}

/** The bits that FS_GROUP_CHMOD gives a directory. */
const FS_GROUP_DIRECTORY_BITS = 0o2770;

/**
 * Whether the root directories of both volumes will have the same mode, from the modes that they have now.
 *
 * @param sourceMode permission bits, setuid, setgid and sticky among them
 */
export function rootModesAgree(
  sourceMode: number,
  destinationMode: number,
  receiving: ReceivingIdentity,
): boolean {
  const arriving = givesFsGroup(receiving) ? sourceMode | FS_GROUP_DIRECTORY_BITS : sourceMode;
  return arriving === destinationMode;
}

/** What is left behind because ids are others at the destination: with --numeric-ids rsync maps owners, not entries. */
export function idMapLosses({ users, groups }: IdMap): Loss[] {
  return users.length + groups.length > 0 ? ['aclIds'] : [];
}

/**
 * Whatever the policy: that says how much is gone through after the transfer. If what arrives had the groups of the
 * source, the pass after a root that did not match would give all of it the fsGroup, and the next transfer take it back.
 */
function givesFsGroup({ fsGroup }: ReceivingIdentity): boolean {
  return fsGroup !== undefined;
}
