import { DrError, type ErrorCode } from '@dr-syncer/api';

import type { ErrorLog } from './error-log.js';
import { exitTable } from './exit-codes.js';

export interface RsyncExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/**
 * Why a transfer did not succeed; undefined when it did. rsync's exit code decides whether, its messages decide what it
 * is called.
 *
 * @param ended why the mover itself ended it: that is the cause, whatever rsync made of it
 */
export function transferError(
  { exitCode, signal }: RsyncExit,
  log: Pick<ErrorLog, 'problems' | 'lines' | 'needs' | 'fileFailure' | 'connectionFailure'>,
  ended?: DrError,
): DrError | undefined {
  const entry = exitCode === null ? undefined : exitTable[exitCode];
  const succeeded = entry !== undefined && entry.error === undefined;
  if (succeeded) return undefined;
  if (ended) return ended;
  const meaning =
    entry?.meaning ?? (signal === null ? `unknown exit code ${exitCode}` : `ended by ${signal}`);
  return new DrError(codeOf(exitCode, entry?.error, log), describe(exitCode, meaning, log));
}

function codeOf(
  exitCode: number | null,
  error: ErrorCode = 'TransferFailed',
  log: Pick<ErrorLog, 'fileFailure' | 'connectionFailure'>,
): ErrorCode {
  if (log.fileFailure) return log.fileFailure;
  // With 23 both ends are there and well, and a file name may look like anything.
  if (exitCode !== 23 && log.connectionFailure) return log.connectionFailure;
  return error;
}

function describe(
  exitCode: number | null,
  meaning: string,
  { problems, lines, needs }: Pick<ErrorLog, 'problems' | 'lines' | 'needs'>,
): string {
  const code = exitCode === null ? '' : ` (rsync exit code ${exitCode})`;
  if (problems === 0) return `${meaning}${code}`;
  const more = problems > lines.length ? `; and ${problems - lines.length} more` : '';
  const missing = needs.length === 0 ? '' : `. Missing: ${needs.join('; ')}`;
  return `${meaning}${code}: ${lines.join('; ')}${more}${missing}`;
}

/** Whether another attempt with the same key and grant has a chance without anybody's doing. */
export function isTransient({ code }: DrError, { exitCode, signal }: RsyncExit): boolean {
  if (code === 'AgentUnreachable' || code === 'TransferStalled') return true;
  if (code !== 'TransferFailed') return false;
  return exitCode === null ? signal !== null : exitTable[exitCode]?.transient === true;
}
