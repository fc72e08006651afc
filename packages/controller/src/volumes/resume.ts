import type { Survey } from '@dr-syncer/ssh';

import type { Scope } from './surveys/scope.js';

/** Of files of less than this nothing is kept: to send one anew takes seconds on a slow line. */
const RESUME_BYTES = 8 * 2 ** 20;

/**
 * Whether one of the files that may be sent is so large that it pays to go on where a connection broke off: the receiver
 * looks for what is left of each file.
 */
export function isWorthResuming(source: Survey | undefined, scope: Scope['scope']): boolean {
  const largest = scope === 'Changed' ? source?.base?.changedLargest : source?.largest;
  return largest === undefined || largest >= RESUME_BYTES;
}
