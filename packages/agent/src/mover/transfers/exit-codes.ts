import type { ErrorCode } from '@dr-syncer/api';

/** Exit codes of rsync(1) and what ssh(1) makes of its own, with what they mean for a transfer. */
interface ExitEntry {
  readonly meaning: string;
  /** Absent: it is a success. */
  readonly error?: ErrorCode;
  /** May pass by itself: worth another attempt without anybody's doing. */
  readonly transient?: true;
}

export const exitTable: Readonly<Record<number, ExitEntry>> = {
  0: { meaning: 'success' },
  1: { meaning: 'syntax or usage error', error: 'BadRequest' },
  2: { meaning: 'the two rsyncs are incompatible', error: 'BadRequest' },
  3: { meaning: 'a directory could not be selected', error: 'TransferFailed' },
  4: { meaning: 'the other rsync does not support what was asked', error: 'BadRequest' },
  5: { meaning: 'the protocol could not be started', error: 'TransferFailed', transient: true },
  6: { meaning: 'the daemon could not write its log', error: 'TransferFailed' },
  10: { meaning: 'error in socket I/O', error: 'AgentUnreachable', transient: true },
  11: { meaning: 'error in file I/O', error: 'TransferFailed' },
  12: { meaning: 'the stream of the protocol broke off', error: 'TransferFailed', transient: true },
  13: { meaning: 'error in the program diagnostics', error: 'TransferFailed' },
  14: {
    meaning: 'error in the communication of the rsync processes',
    error: 'TransferFailed',
    transient: true,
  },
  15: { meaning: 'an rsync process crashed', error: 'TransferFailed' },
  16: { meaning: 'an rsync process was killed', error: 'TransferFailed', transient: true },
  19: { meaning: 'rsync was ended by a signal of its own', error: 'TransferFailed', transient: true },
  20: { meaning: 'rsync was ended by a signal', error: 'TransferFailed', transient: true },
  21: { meaning: 'waiting for a process failed', error: 'TransferFailed', transient: true },
  22: { meaning: 'out of memory', error: 'TransferFailed', transient: true },
  23: { meaning: 'some files could not be copied', error: 'TransferPartial' },
  // What is not there any more needs no copy: its absence is a change like any other, for the next run.
  24: { meaning: 'some files vanished while being copied' },
  25: { meaning: 'the limit on deletions stopped it', error: 'TransferPartial' },
  30: { meaning: 'no data moved for the stall timeout', error: 'TransferStalled', transient: true },
  35: { meaning: 'the connection took too long', error: 'AgentUnreachable', transient: true },
  69: { meaning: 'the program to start is not there', error: 'Internal' },
  77: { meaning: 'the destination refused the request', error: 'BadRequest' },
  124: { meaning: 'the remote command failed', error: 'TransferFailed' },
  125: { meaning: 'the remote command was killed', error: 'TransferFailed' },
  126: { meaning: 'the remote command cannot be run', error: 'TransferFailed' },
  127: { meaning: 'the program to start was not found', error: 'Internal' },
  255: { meaning: 'the SSH connection failed', error: 'AgentUnreachable', transient: true },
};

/** How ssh or the destination's agent say why; the first that matches counts. */
export const connectionFailures: readonly { readonly pattern: RegExp; readonly error: ErrorCode }[] = [
  {
    pattern: /^Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/,
    error: 'HostKeyMismatch',
  },
  { pattern: /^No \S+ host key is known for|no matching host key type/, error: 'HostKeyMismatch' },
  { pattern: /Permission denied \(|Too many authentication failures/, error: 'GrantNotFound' },
  { pattern: /^dr-syncer: refused: GrantNotFound\b/, error: 'GrantNotFound' },
  { pattern: /^dr-syncer: refused: (?:StartFailed|VolumeNotAvailable)\b/, error: 'TransferFailed' },
  {
    pattern: /^ssh: (?:connect to host|Could not resolve)|^kex_exchange_identification/,
    error: 'AgentUnreachable',
  },
  {
    pattern: /^Timeout, server \S+ not responding|^(?:ssh_dispatch_run|client_loop)/,
    error: 'AgentUnreachable',
  },
  { pattern: /^Connection (?:to \S+ )?(?:closed|reset|timed out)|Broken pipe/, error: 'AgentUnreachable' },
  { pattern: /^Unable to negotiate with /, error: 'BadRequest' },
  { pattern: /No user exists for uid|agent refused operation/, error: 'Internal' },
];

/**
 * Causes that count whatever the exit code is: rsync ends with 11, 12 or 23 for them, as it happens. The error of the
 * system stands at the end of the line, where no file name can be.
 */
export const fileFailures: readonly { readonly pattern: RegExp; readonly error: ErrorCode }[] = [
  { pattern: /: No space left on device \(28\)$/, error: 'DestinationFull' },
  { pattern: /: Disk quota exceeded \(122\)$/, error: 'DestinationFull' },
  { pattern: /: Read-only file system \(30\)$/, error: 'VolumeReadOnly' },
  { pattern: /^\[\w+\] io timeout after \d+ seconds/, error: 'TransferStalled' },
];
