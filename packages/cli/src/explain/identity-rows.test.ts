import { expect, test } from '@jest/globals';

import { table } from '../output.js';
import { identityRows } from './identity-rows.js';

const end = { uid: 7, gid: 8, groups: [8, 9], capabilities: [], umask: '0000' };

test('Given a volume that would be copied, Then each value stands with its origin, then what is not kept', () => {
  const rows = identityRows([
    {
      name: 'data',
      identity: {
        ...{ privileged: false, reason: 'not annotated', notes: ['runAsUser 0 is not taken'] },
        source: { ...end, origins: { uid: 'the annotation' } },
        destination: { ...end, fsGroup: 9, origins: { fsGroup: 'the pod' } },
      },
      refusals: [],
      losses: [{ what: 'owners', description: 'owners and groups' }],
    },
  ]);

  expect(table(rows).split('\n')).toEqual([
    'VOLUME   END           FIELD          VALUE    ORIGIN',
    'data     both          privileged     no       not annotated',
    'data     source        uid            7        the annotation',
    'data     source        gid            8',
    'data     source        groups         8,9',
    'data     source        capabilities   none',
    'data     source        umask          0000',
    'data     destination   uid            7',
    'data     destination   gid            8',
    'data     destination   groups         8,9',
    'data     destination   capabilities   none',
    'data     destination   umask          0000',
    'data     destination   fsGroup        9        the pod',
    'data     both          note                    runAsUser 0 is not taken',
    'data     destination   not kept       owners   owners and groups',
    '',
  ]);
});

test('Given a refusal, Then field, value, what is allowed and the remedy are there', () => {
  const rows = identityRows([
    {
      name: 'data',
      identity: { privileged: true, reason: 'annotated', idMap: { users: ['1:2'], groups: [] } },
      refusals: [{ end: 'source', path: 'spec.x', value: '0', allowed: '1-5', remedy: 'Take another.' }],
      losses: [],
    },
  ]);

  expect(rows.slice(2)).toEqual([
    ['data', 'source', 'spec.x', '0', 'REFUSED, allowed: 1-5. Take another.'],
    ['data', 'destination', 'user map', '1:2', 'ranges of the namespaces'],
  ]);
});
