import type { Replication } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { volumeRequests } from './volume-request.js';

const object = (annotations: Readonly<Record<string, string>>): KubeObject => ({
  ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
  metadata: { name: 'r', namespace: 'n', annotations },
});
const status = (more: object) => ({ status: more as Replication['status'] });
const run = (request: string, phase: 'Running' | 'Completed') => ({
  ...{ request, phase, startedAt: '2026-01-01T00:00:00Z', volumes: [] },
});

describe('Given what a Replication is asked for about its volumes', () => {
  test.each([
    ['nothing', {}, {}, []],
    ['an empty value', { 'dr-syncer.io/drill': '' }, {}, []],
    ['a drill', { 'dr-syncer.io/drill': 'd' }, {}, [{ kind: 'Drill', id: 'd', answered: false }]],
    [
      'a drill that is going on',
      { 'dr-syncer.io/drill': 'd' },
      { drill: run('d', 'Running') },
      [{ kind: 'Drill', id: 'd', answered: false }],
    ],
    [
      'a drill that was answered',
      { 'dr-syncer.io/drill': 'd' },
      { drill: run('d', 'Completed') },
      [{ kind: 'Drill', id: 'd', answered: true }],
    ],
    [
      'another drill than the last',
      { 'dr-syncer.io/drill': 'e' },
      { drill: run('d', 'Completed') },
      [{ kind: 'Drill', id: 'e', answered: false }],
    ],
    [
      'both: data comes back first',
      { 'dr-syncer.io/drill': 'd', 'dr-syncer.io/reverse-sync': 'r' },
      { reverseSync: run('r', 'Completed') },
      [
        { kind: 'Reverse', id: 'r', answered: true },
        { kind: 'Drill', id: 'd', answered: false },
      ],
    ],
  ])('When it is %s Then that is found', (_title, annotations, before, expected) => {
    expect(volumeRequests(object(annotations), status(before))).toEqual(expected);
  });
});
