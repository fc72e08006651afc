import { errorTable } from '@dr-syncer/api';
import type { NewCondition, Validity } from '@dr-syncer/kube';

const DAY_MS = 86_400_000;
/** A person needs days; credentials that live for less are warned of when a third of their life is left. */
const LONGEST_NOTICE_MS = 14 * DAY_MS;

/** How long before its end a credential counts as expiring. */
function noticeMs({ from, until }: Validity): number {
  const life = from === undefined ? Number.POSITIVE_INFINITY : until.getTime() - from.getTime();
  return Math.min(LONGEST_NOTICE_MS, life / 3);
}

/** When a token is to be renewed: at half of its life, which leaves the other half to find out why it failed. */
export function renewalDue({ from, until }: Validity): Date {
  const life = from === undefined ? 2 * DAY_MS : until.getTime() - from.getTime();
  return new Date(until.getTime() - life / 2);
}

export interface Renewal {
  /** Why the last attempt failed. */
  readonly problem?: string;
}

/**
 * The condition that warns of the end of a kubeconfig's credentials.
 *
 * @param renewal present when the controller renews the token by itself
 */
export function expiryCondition(
  validity: Validity | undefined,
  renewal: Renewal | undefined,
  now: Date,
): NewCondition {
  const type = 'KubeconfigExpiring';
  if (validity === undefined) {
    return { type, status: 'False', reason: 'NoEnd', message: 'The credentials name no end.' };
  }
  const { what, until } = validity;
  const left = until.getTime() - now.getTime();
  const ends = `The ${what} ${left <= 0 ? 'ended' : 'ends'} at ${until.toISOString()}.`;
  const failed = renewal?.problem === undefined ? '' : ` It could not be renewed: ${renewal.problem}.`;
  if (left <= noticeMs(validity)) {
    const { remedy } = errorTable.KubeconfigExpiring;
    return { type, status: 'True', reason: 'KubeconfigExpiring', message: `${ends}${failed} ${remedy}` };
  }
  if (failed !== '') {
    return { type, status: 'False', reason: 'TokenRenewalFailed', message: `${ends}${failed}` };
  }
  const next =
    renewal === undefined
      ? ''
      : ` It is renewed by the controller after ${renewalDue(validity).toISOString()}.`;
  return { type, status: 'False', reason: 'Valid', message: `${ends}${next}` };
}
