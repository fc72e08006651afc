import { senderOptions } from '@dr-syncer/identity';
import type { TransferDestination, TransferOptions } from '@dr-syncer/ssh';

import { COMPARE } from './differences.js';

/** Holds what there is of a file whose transfer was cut off, in the directory of the file. */
export const PARTIAL_DIR = '.dr-syncer-partial';

export interface RoomOptions {
  /** What has no source any more, and what is left of broken transfers, goes before anything comes. */
  readonly deleteFirst?: boolean;
}

export interface PushVariant extends RoomOptions {
  /** One of several streams: the files of a list and nothing else. */
  readonly shard?: boolean;
}

/**
 * Names come on standard input, and nothing else is looked at but what is in the directories that end with a slash; with
 * deletions there. A name that is gone since is left for the next time.
 */
const LISTED = ['--no-recursive', '--files-from=-', '--from0', '--ignore-missing-args'];

/** While it reads a file for its checksum, rsync says nothing to the other end. */
const LONGEST_READ_S = 3_600;

/**
 * Nothing is removed, and times of directories, which others still write to, are left to the rsync that goes over all
 * afterwards.
 */
const SHARD = ['--omit-dir-times'];

/** What is sent is named in a list, by names of a moment ago. */
function isListed({ shard, scope, purpose }: PushOptions): boolean {
  return shard === true || scope === 'Changed' || purpose === 'compareSample';
}

/**
 * To rsync a listed path is one that an operator has chosen, and it follows links in it. The owner of the volume may have
 * put one in place of a directory meanwhile (measured with rsync 3.5.0: a file outside of the volume was sent). Older ones
 * do not know the option, and run with no more rights than that owner has.
 *
 * @param root of the volume, without links
 */
export function confinement(options: PushOptions, root: string, rsync35: boolean): string[] {
  return isListed(options) && rsync35 ? [`--confine-root=${root}`] : [];
}

function stallSeconds({
  purpose,
  stallTimeoutSeconds,
}: Pick<TransferOptions, 'purpose' | 'stallTimeoutSeconds'>): number {
  return purpose === 'copy' ? stallTimeoutSeconds : Math.max(stallTimeoutSeconds, LONGEST_READ_S);
}

export type PushOptions = Omit<TransferOptions, 'totalTimeoutSeconds' | 'attempts' | 'streams'> & PushVariant;

/** rsync's options of a push, each with its reason. */
export function pushOptions(
  options: PushOptions,
  { identity: receiving, rootModesAgree }: Pick<TransferDestination, 'identity' | 'rootModesAgree'>,
): string[] {
  const facts = { delete: options.delete, rootModesAgree };
  return [
    ...filterOptions(options),
    // Which attributes travel: recursion, links, permissions, times, owners, hard links, ACLs, xattrs, holes.
    ...senderOptions(receiving, facts).options,
    // Time stamps are compared to the nanosecond: a file written twice within a second with the same size is seen, and
    // links and fifos get their exact time.
    '--modify-window=-1',
    ...(isListed(options) ? LISTED : []),
    ...(options.shard === true ? SHARD : []),
    ...(options.purpose === 'copy' ? [] : COMPARE),
    ...(options.checksum ? ['--checksum'] : []),
    // What was sent of a file is kept when the connection breaks, out of sight of whoever reads the copy. It costs the
    // receiver three calls a file to look for what there may be.
    ...(options.resume ? [`--partial-dir=${PARTIAL_DIR}`] : []),
    // Found during the transfer, done at its end: a transfer that breaks off has removed nothing.
    ...(options.delete ? [options.deleteFirst === true ? '--delete-before' : '--delete-delay'] : []),
    ...(options.bandwidthLimitKiB > 0 ? [`--bwlimit=${options.bandwidthLimitKiB}`] : []),
    // Both ends count it, and each tells the other that it is still at work.
    `--timeout=${stallSeconds(options)}`,
    // What goes wrong over there comes in the protocol. By default it would go to that rsync's standard error, which
    // arrives when this rsync, told of the failure by the protocol, has ended the connection already.
    '--stderr=client',
    // Progress of the whole, totals at the end, the moment in which the other rsync answers; numbers without commas;
    // each piece at once.
    '--info=progress2,stats2',
    '--debug=proto1',
    '--no-human-readable',
    '--outbuf=L',
  ];
}

/**
 * What is never looked at. The first rule that matches counts, so ours stand before those of the user, and both before those for all.
 */
export function filterOptions({ excludePaths }: Pick<TransferOptions, 'excludePaths'>): string[] {
  return [
    // Made by mkfs at either end.
    '--filter=- /lost+found',
    // Never sent; at the destination it is removed when the run that deletes gets to its end, and used until then.
    `--filter=H ${PARTIAL_DIR}/`,
    `--filter=R ${PARTIAL_DIR}/`,
    // Not --exclude: that takes a leading "+ " or "!" as an instruction.
    ...excludePaths.map((pattern) => `--filter=- ${pattern}`),
  ];
}

/**
 * The destination in rsync's notation.
 *
 * @param host a name or an address, checked already
 */
export function remoteTarget(host: string, path: string): string {
  return `${host.includes(':') ? `[${host}]` : host}:${path}`;
}
