import type { ReplicationStatus, VolumeStatus } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';
import type { PrivilegeDecision } from '@dr-syncer/identity';

import { lossNews, privilegeCondition, privilegeNews } from './identity-conditions.js';

const granted: PrivilegeDecision = {
  ...{ privileged: true, requested: true },
  code: 'Annotated',
  reason: 'both namespaces are annotated',
};
const gone: PrivilegeDecision = {
  ...{ privileged: false, requested: false },
  code: 'NotAnnotated',
  reason: 'no namespace is annotated',
};
const half: PrivilegeDecision = { ...gone, requested: true, code: 'AnnotationMissing', reason: 'one is not' };

function after(decision: PrivilegeDecision): Pick<ReplicationStatus, 'conditions'> {
  return {
    conditions: [{ ...privilegeCondition(decision), lastTransitionTime: '2026-01-01T00:00:00Z' }],
  };
}

describe('Given what the last sync ran as and what this one does', () => {
  test.each<
    [string, Pick<ReplicationStatus, 'conditions'> | undefined, PrivilegeDecision, string | undefined]
  >([
    ['the first sync, privileged', undefined, granted, 'PrivilegedMoversOn'],
    ['the first sync, nothing asked for', undefined, gone, undefined],
    ['the first sync, refused', {}, half, 'PrivilegedMoversRefused'],
    ['still privileged', after(granted), granted, undefined],
    ['annotated since', after(gone), granted, 'PrivilegedMoversOn'],
    ['taken away at both ends', after(granted), gone, 'PrivilegedMoversOff'],
    ['taken away at one end', after(granted), half, 'PrivilegedMoversOff'],
    ['still refused for the same cause', after(half), half, undefined],
    [
      'refused for another cause',
      after(half),
      { ...half, code: 'ForbiddenBySettings' },
      'PrivilegedMoversRefused',
    ],
  ])('When it is %s, Then the news are that', (_, before, decision, reason) => {
    expect(privilegeNews(before, decision)?.reason).toBe(reason);
  });

  test('Then the condition says it with the cause', () => {
    expect(privilegeCondition(half)).toEqual({
      ...{ type: 'PrivilegedMovers', status: 'False', reason: 'AnnotationMissing' },
      message: 'One is not.',
    });
  });
});

describe('Given volumes that lost something', () => {
  const volume = (name: string, phase: VolumeStatus['phase'], ...what: string[]): VolumeStatus => ({
    ...{ name, phase },
    losses: what.map((one) => ({ what: one, description: `its ${one}` })),
  });

  test('Then those that lost the same are told of together, once', () => {
    const now = [
      volume('a', 'Succeeded', 'owners', 'acls'),
      volume('b', 'Succeeded', 'owners', 'acls'),
      volume('c', 'Succeeded', 'devices'),
      volume('d', 'Succeeded'),
      volume('e', 'Failed', 'owners'),
    ];

    expect(lossNews(undefined, now).map(({ reason, message }) => [reason, message])).toEqual([
      ['AttributesNotKept', 'a, b: the copy does not have its owners; its acls.'],
      ['AttributesNotKept', 'c: the copy does not have its devices.'],
    ]);
    expect(lossNews({ volumes: now }, now)).toEqual([]);
  });

  test('When there are many, Then some are named', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

    const [news] = lossNews(
      {},
      names.map((name) => volume(name, 'Succeeded', 'owners')),
    );

    expect(news?.message).toMatch(/^a, b, c, d, e and 2 more: /);
  });
});
