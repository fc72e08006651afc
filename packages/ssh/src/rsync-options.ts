import { isRelativeInside } from './volume-path.js';

/**
 * What an rsync client may ask of `rsync --server`: the options that rsync 3.2.7 to 3.5.0 really send, by the side
 * that this server is on. Source of the facts: rsync's `server_options()`, rrsync(1), and command lines captured
 * from both versions (the tests repeat that). What is not here is refused. Left out on purpose, though clients can
 * be made to send them:
 *
 * - `-s`, `--files-from FILE`, `--log-file`, `--config`, `--daemon`, `--write-devices`, `--copy-devices`,
 *   `--confine-root`, `--insecure-links`: they read, write or widen what the words do not show.
 * - `-L`, `-k`, `-K`, `--copy-unsafe-links`: they follow links that the owner of the volume made.
 * - `--super`, `--fake-super`, `--usermap`, `--groupmap`: who files belong to is the grant's business.
 * - `--inplace`, `--append`: rsync 3.5.0 opens the file that it writes in place by a path that it resolves after
 *   `--confine-root` has been checked. Who swaps a directory of the volume for a symbolic link meanwhile gets a file
 *   outside of the volume overwritten (measured: one push in ten beside a renameat2(RENAME_EXCHANGE) loop; none of the
 *   other ways of writing). `--append-verify` and `--write-devices` imply it.
 * - `--temp-dir`, `--compare-dest`, `--copy-dest`, `--link-dest`: to rsync 3.5.0 `--confine-root` does not apply to
 *   them. Through a symbolic link in the volume the first wrote a file outside of it, and the others told whether a file
 *   there has a size and time (measured). `--partial-dir` and `--backup-dir` are confined.
 * - `--max-alloc`, `--debug`, `--only-write-batch`, `--stop-at`: memory and output of this process are ours.
 */
export type Side = 'sending' | 'receiving' | 'both';

/** What a grant has to allow before the option may be used. */
export type Gate = 'delete' | 'deleteAtSource';

export interface LongOption {
  readonly side: Side;
  /** The value has to satisfy this; absent: the option takes none. */
  readonly value?: (text: string) => boolean;
  readonly gate?: Gate;
}

/** Letters without a value, each with the side it may be sent to. */
export const shortOptions: Readonly<Record<string, Side>> = {
  ...letters('both', 'vqnlHogDtUpAXrcCIRxSzdWu'),
  ...letters('receiving', 'bmOJyEN'),
};

/** rsync's own buffer for the cluster (`argstr`) holds 64. */
export const MAX_CLUSTER = 64;

const number = matching(/^\d{1,18}$/);
const signedNumber = matching(/^-?\d{1,10}$/);
const size = matching(/^\d{1,18}(\.\d{1,6})?[A-Za-z]{0,3}([+-]1)?$/);
const word = matching(/^[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}$/);
const words = matching(/^[A-Za-z0-9][A-Za-z0-9._:,+-]{0,255}$/);

/** Options with a value may come as `--name=value` and as two words: rsync sends both forms. */
export const longOptions: ReadonlyMap<string, LongOption> = new Map<string, LongOption>([
  ...flags('both', [
    'dirs',
    'from0',
    'group',
    'hard-links',
    'ignore-errors',
    'ignore-times',
    'links',
    'msgs2stderr',
    'new-compress',
    'no-implied-dirs',
    'no-msgs2stderr',
    'no-relative',
    'no-specials',
    'numeric-ids',
    'old-compress',
    'one-file-system',
    'open-noatime',
    'owner',
    'perms',
    'recursive',
    'safe-links',
    'specials',
    'times',
    'use-qsort',
  ]),
  ...flags('receiving', [
    'delay-updates',
    'existing',
    'fsync',
    'fuzzy',
    'ignore-existing',
    'mkpath',
    'no-r',
    'no-W',
    'partial',
    'preallocate',
    'size-only',
    'stats',
  ]),
  ...flags('sending', ['ignore-missing-args', 'list-only']),
  ...flags(
    'receiving',
    [
      'delete',
      'delete-after',
      'delete-before',
      'delete-delay',
      'delete-during',
      'delete-excluded',
      'delete-missing-args',
      // Removes a directory that stands in the way of a file, with all that is in it.
      'force',
    ],
    'delete',
  ),
  // A server that sends removes its own files; a server that receives only confirms them.
  ...flags('both', ['remove-sent-files', 'remove-source-files'], 'deleteAtSource'),
  ['bwlimit', { side: 'both', value: number }],
  ['checksum-choice', { side: 'both', value: words }],
  ['checksum-seed', { side: 'both', value: signedNumber }],
  ['compress-choice', { side: 'both', value: word }],
  ['compress-level', { side: 'both', value: signedNumber }],
  ['files-from', { side: 'sending', value: matching(/^-$/) }],
  ['iconv', { side: 'both', value: word }],
  ['info', { side: 'both', value: matching(/^[A-Za-z]{2,12}\d?(,[A-Za-z]{2,12}\d?){0,31}$/) }],
  ['log-format', { side: 'receiving', value: matching(/^(%i|%i%I|%o|X)$/) }],
  ['max-delete', { side: 'receiving', value: signedNumber }],
  ['max-size', { side: 'receiving', value: size }],
  ['min-size', { side: 'receiving', value: size }],
  ['modify-window', { side: 'receiving', value: signedNumber }],
  ['skip-compress', { side: 'sending', value: matching(/^[A-Za-z0-9/[\]._-]{0,1024}$/) }],
  ['suffix', { side: 'receiving', value: matching(/^[^/\p{Cc}]{1,64}$/u) }],
  ['timeout', { side: 'both', value: number }],
  ...['backup-dir', 'partial-dir'].map((name): [string, LongOption] => [
    name,
    { side: 'receiving', value: isRelativeInside },
  ]),
]);

/** Short options that carry a number in the same word. */
export const numericShort: ReadonlyMap<string, { side: Side; value: RegExp }> = new Map([
  ['B', { side: 'both', value: /^\d{1,9}$/ }],
  // --modify-window; -1 compares nanoseconds, and clients send that one only in this form.
  ['@', { side: 'receiving', value: /^-?\d{1,9}$/ }],
]);

function matching(pattern: RegExp): (text: string) => boolean {
  return (text) => pattern.test(text);
}

function letters(side: Side, all: string): Record<string, Side> {
  return Object.fromEntries(Array.from(all, (letter) => [letter, side]));
}

function flags(side: Side, names: readonly string[], gate?: Gate): [string, LongOption][] {
  return names.map((name) => [name, gate ? { side, gate } : { side }]);
}
