import { DrError, errorTable, isErrorCode } from '@dr-syncer/api';
import { KubeError, kubeToDrError } from '@dr-syncer/kube';

/** 0 done, 1 failed or the answer is no, 2 wrong usage. */
export const exitCode = { done: 0, failed: 1, usage: 2 } as const;

/**
 * Ends a command with 1. The message goes to the person as it is; without one the command has said everything already
 * (a check whose answer is no, for example).
 */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}

/** Ends a command with 2: options that contradict each other, a value of no use. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
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
