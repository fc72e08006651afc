import type { IdMap } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';
import { receiverOptions, rootModesAgree, senderOptions, type ReceivingIdentity } from './rsync-options.js';

const user: ReceivingIdentity = { uid: 1000, capabilities: [], privileged: false };
const root: ReceivingIdentity = {
  uid: 0,
  capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'],
  privileged: true,
};
const facts = { delete: true, rootModesAgree: true };

/** What the options do to files is shown with rsync itself, in the agent's receiver-matrix.test.ts. */
describe('senderOptions', () => {
  test.each<[string, ReceivingIdentity, Partial<typeof facts>, string]>([
    [
      'a privileged receiver',
      root,
      {},
      '-aHAXS --numeric-ids --no-devices --filter=-x security.* --filter=-x trusted.* --filter=-x system.*',
    ],
    [
      'one that makes devices',
      { ...root, capabilities: [...root.capabilities, 'MKNOD'] },
      {},
      '-aHAXS --numeric-ids --filter=-x security.* --filter=-x trusted.* --filter=-x system.*',
    ],
    [
      'one with file capabilities',
      { ...root, capabilities: [...root.capabilities, 'SETFCAP'] },
      {},
      '-aHAXS --numeric-ids --no-devices --filter=+x security.capability --filter=-x security.* --filter=-x trusted.* --filter=-x system.*',
    ],
    [
      'nothing to be deleted',
      root,
      { delete: false },
      '-aHAXS --numeric-ids --no-devices --filter=-x security.* --filter=-x trusted.* --filter=-x system.* --prune-empty-dirs --filter=P *',
    ],
    [
      'an unprivileged receiver',
      user,
      {},
      '-rltHXS --specials --numeric-ids --omit-dir-times --perms --filter=-x! user.*',
    ],
    [
      'roots of different modes',
      user,
      { rootModesAgree: false },
      '-rltHXS --specials --numeric-ids --omit-dir-times --executability --filter=-x! user.*',
    ],
    [
      'an fsGroup',
      { ...user, fsGroup: 5 },
      {},
      '-rltHXS --specials --numeric-ids --omit-dir-times --perms --chmod=ug+rw,Dug+x,Dg+s --filter=-x! user.*',
    ],
  ])('Given %s, Then these', (_, receiving, change, words) => {
    expect(senderOptions(receiving, { ...facts, ...change }).options.join(' ')).toBe(words);
  });
});

describe('receiverOptions', () => {
  test('Given no privilege, Then rsync must not take uid 0 for more than it is', () => {
    expect(receiverOptions({ ...user, fsGroup: 5 })).toEqual(['--no-super']);
  });

  test('Given privilege, Then owners are mapped on arrival, and an fsGroup takes all groups', () => {
    const map: IdMap = {
      users: [[1, 2]],
      groups: [
        [3, 4],
        [5, 6],
      ],
    };

    expect(receiverOptions(root)).toEqual(['--super']);
    expect(receiverOptions(root, map)).toEqual(['--super', '--usermap=1:2', '--groupmap=3:4,5:6']);
    expect(receiverOptions({ ...root, fsGroup: 9 }, map)).toEqual([
      '--super',
      '--usermap=1:2',
      '--groupmap=*:9',
    ]);
  });
});

describe('Given the modes of both root directories', () => {
  const plain = user;
  const withGroup: ReceivingIdentity = { ...user, fsGroup: 2000 };
  const rows: [string, number, number, ReceivingIdentity, boolean][] = [
    ['equal ones', 0o755, 0o755, plain, true],
    ['different ones', 0o755, 0o775, plain, false],
    ['one that the group will widen', 0o755, 0o2775, withGroup, true],
    ['one that the group would have widened', 0o755, 0o755, withGroup, false],
  ];

  test.each(rows)('%s are told apart', (_title, source, destination, receiving, agree) => {
    expect(rootModesAgree(source, destination, receiving)).toBe(agree);
  });
});
