import { DrError, errorTable, isErrorCode } from '@dr-syncer/api';
import { KubeError, kubeToDrError } from '@dr-syncer/kube';

/** How every command ends; docs/reference/cli.md is made from this table. */
export const exitCodes = {
  done: { code: 0, meaning: 'done, or the answer is yes' },
  failed: {
    code: 1,
    meaning: 'failed, or the answer is no: a sync that failed, a finding of severity error',
  },
  usage: { code: 2, meaning: 'wrong usage; nothing was done' },
  timeout: { code: 3, meaning: 'the time given with --timeout is over; what was begun goes on' },
  differs: {
    code: 4,
    meaning:
      'a sync would have something to do, or something fails or waits (plan); a copy differs from its source (verify)',
  },
  interrupted: { code: 130, meaning: 'ended by Ctrl-C or SIGTERM; what was begun in a cluster goes on' },
} as const;

/**
 * Ends a command with 1. The message goes to the person as it is; without one the command has said everything already
 * (a check whose answer is no, for example).
 */
export class CommandFailure extends Error {
  override readonly name: string = 'CommandFailure';
}

/** Ends a command with 2: options that contradict each other, a value of no use. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Ends a command with 3: what was waited for has not come in the time that was given. */
export class TimeoutFailure extends CommandFailure {
  override readonly name = 'TimeoutFailure';
}

/** Ends a command with 4, when everything has been said: apart from failures, so that a script can tell them. */
export class DifferenceFound extends CommandFailure {
  override readonly name = 'DifferenceFound';

  constructor() {
    super('');
  }
}

/** The code that a command ends with. */
export function exitCodeOf(err: unknown, signal: AbortSignal): number {
  if (signal.aborted) return exitCodes.interrupted.code;
  if (err instanceof UsageError) return exitCodes.usage.code;
  if (err instanceof TimeoutFailure) return exitCodes.timeout.code;
  if (err instanceof DifferenceFound) return exitCodes.differs.code;
  return exitCodes.failed.code;
}

/** What a person is told about an error: what happened, its code and what to do. Never a stack. */
export function explain(err: unknown): string {
  if (err instanceof CommandFailure || err instanceof UsageError) {
    return err.message === '' ? '' : `error: ${err.message}\n`;
  }
  if (err instanceof DrError || err instanceof KubeError) {
    const { code, message } = kubeToDrError(err);
    const remedy = isErrorCode(code) ? errorTable[code].remedy : '';
    return `error: ${message} (${code})\n${remedy}\n`;
  }
  return `error: ${err instanceof Error ? err.message : String(err)}\n`;
}
