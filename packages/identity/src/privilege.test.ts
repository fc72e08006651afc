import { describe, expect, test } from '@jest/globals';
import { decidePrivilege, type PrivilegePolicy } from './privilege.js';

const own = 'dr-syncer.io/privileged-movers';
const alias = 'volsync.backube/privileged-movers';
const both: PrivilegePolicy = { allowedNamespaces: ['*'], annotatedAt: 'Both' };

describe('decidePrivilege', () => {
  test.each<[string, Record<string, string>, Record<string, string>, PrivilegePolicy, boolean]>([
    ['both ends annotated', { [own]: 'true' }, { [own]: 'true' }, both, true],
    ['any case', { [own]: 'TRUE' }, { [own]: 'True' }, both, true],
    ['the alias', { [alias]: 'true' }, { [own]: 'true' }, both, true],
    ['one end missing', { [own]: 'true' }, {}, both, false],
    ['the other end missing', {}, { [own]: 'true' }, both, false],
    ['another word', { [own]: 'yes' }, { [own]: 'true' }, both, false],
    ['blanks', { [own]: ' true' }, { [own]: 'true' }, both, false],
    ['false against the alias', { [own]: 'false', [alias]: 'true' }, { [own]: 'true' }, both, false],
    ['only the source needed', { [own]: 'true' }, {}, { ...both, annotatedAt: 'Source' }, true],
    ['only the destination needed', {}, { [own]: 'true' }, { ...both, annotatedAt: 'Destination' }, true],
    ['forbidden altogether', { [own]: 'true' }, { [own]: 'true' }, { ...both, allowedNamespaces: [] }, false],
    [
      'another namespace allowed',
      { [own]: 'true' },
      { [own]: 'true' },
      { ...both, allowedNamespaces: ['b'] },
      false,
    ],
    [
      'this namespace allowed',
      { [own]: 'true' },
      { [own]: 'true' },
      { ...both, allowedNamespaces: ['a'] },
      true,
    ],
  ])('Given %s, Then privilege follows', (_, source, destination, policy, privileged) => {
    const decision = decidePrivilege(
      { namespace: 'a', annotations: source },
      { namespace: 'a-dr', annotations: destination },
      policy,
    );

    expect(decision).toMatchObject({ privileged });
  });

  test('Given a request that is not granted, Then the reason names the end', () => {
    const decision = decidePrivilege(
      { namespace: 'a', annotations: { [own]: 'true' } },
      { namespace: 'a-dr', annotations: {} },
      both,
    );

    expect(decision).toEqual({
      privileged: false,
      code: 'AnnotationMissing',
      requested: true,
      reason: 'dr-syncer.io/privileged-movers=true is missing on the destination namespace a-dr',
    });
  });
});
