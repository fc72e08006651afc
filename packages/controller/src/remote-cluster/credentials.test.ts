import type { Validity } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { expiryCondition, renewalDue } from './credentials.js';

const now = new Date('2030-01-01T00:00:00Z');
const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000);
const token = (from: number | undefined, until: number): Validity => ({
  what: 'token',
  from: from === undefined ? undefined : inDays(from),
  until: inDays(until),
});

describe('Given credentials that end', () => {
  test.each([
    ['have no end', undefined, 'False', 'NoEnd'],
    ['have a month left of a year', token(-335, 30), 'False', 'Valid'],
    ['have two weeks left of a year', token(-351, 14), 'True', 'KubeconfigExpiring'],
    ['have two weeks left of an unknown life', token(undefined, 13), 'True', 'KubeconfigExpiring'],
    ['are hours old and live for a day', token(-0.2, 0.8), 'False', 'Valid'],
    ['have a quarter left of a day', token(-0.75, 0.25), 'True', 'KubeconfigExpiring'],
    ['have ended', token(-365, -1), 'True', 'KubeconfigExpiring'],
  ])('When they %s Then it is told in time', (_what, validity, status, reason) => {
    const condition = expiryCondition(validity, undefined, now);

    expect(condition).toMatchObject({ type: 'KubeconfigExpiring', status, reason });
    if (validity !== undefined) expect(condition.message).toContain(validity.until.toISOString());
    if (status === 'True') expect(condition.message).toContain('dr-syncer kubeconfig create');
  });

  test('When the token is renewed by itself Then it says when', () => {
    expect(renewalDue(token(-10, 30))).toEqual(inDays(10));
    expect(expiryCondition(token(-10, 30), {}, now).message).toContain(inDays(10).toISOString());
  });

  test('When it could not be renewed Then it says why, before and after the warning', () => {
    const renewal = { problem: 'create serviceaccounts is forbidden' };

    expect(expiryCondition(token(-30, 300), renewal, now)).toMatchObject({
      status: 'False',
      reason: 'TokenRenewalFailed',
    });
    const late = expiryCondition(token(-330, 10), renewal, now);
    expect(late.status).toBe('True');
    expect(late.message).toContain(renewal.problem);
  });
});
