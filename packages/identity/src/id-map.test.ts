import { idMapSchema } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { namespaceIdMap } from './id-map.js';
import { workloadIds, type WorkloadPod } from './workload.js';

const range = (text: string): Record<string, string> => ({ 'openshift.io/sa.scc.uid-range': text });
const nobody = { users: [], groups: [] };

describe('Given the annotations of two namespaces', () => {
  test.each([
    [range('1000690000/10000'), range('1000720000/10000'), [[1000690000, 1000720000]]],
    [range('1000690000/10000'), range('1000690000/10000'), []],
    [range('1000690000/10000'), {}, []],
    [{}, range('1000690000/10000'), []],
    [range('0/10000'), range('1000690000/10000'), []],
    [range('0/0'), range('1000690000/10000'), []],
  ])('%j and %j, Then the default ids are mapped: %j', (source, destination, pairs) => {
    expect(namespaceIdMap(source, destination, nobody)).toEqual({ users: pairs, groups: pairs });
  });

  test('When groups have a range of their own, Then its first block counts', () => {
    const source = { ...range('1000/10'), 'openshift.io/sa.scc.supplemental-groups': '5000/10,7000/10' };
    const destination = { ...range('1000/10'), 'openshift.io/sa.scc.supplemental-groups': '6000/10' };

    expect(namespaceIdMap(source, destination, nobody)).toEqual({ users: [], groups: [[5000, 6000]] });
  });

  test('When the workload names ids of the range, Then they keep their distance; others stay', () => {
    const ids = { users: [1000690007, 26], groups: [1000690009, 1000690000] };

    expect(namespaceIdMap(range('1000690000/10000'), range('2000/8'), ids)).toEqual({
      users: [
        [1000690000, 2000],
        [1000690007, 2007],
      ],
      // 2009 is beyond the range of the destination.
      groups: [[1000690000, 2000]],
    });
  });

  test('Then no mapping has root in it, nor more pairs than the agent takes', () => {
    const text = fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 3000 })).map(([a, b]) => `${a}/${b}`);
    const ids = fc.array(fc.nat(6000), { maxLength: 200 });
    fc.assert(
      fc.property(text, text, ids, ids, (source, destination, users, groups) => {
        const map = idMapSchema.parse(namespaceIdMap(range(source), range(destination), { users, groups }));
        for (const [from, to] of [...map.users, ...map.groups]) {
          expect(from).not.toBe(0);
          expect(to).not.toBe(0);
        }
        expect(new Set(map.users.map(([, to]) => to)).size).toBe(map.users.length);
      }),
    );
  });
});

test('Given pods, Then their ids are those of pod and containers, each once', () => {
  const pods: WorkloadPod[] = [
    {
      name: 'a',
      securityContext: { runAsUser: 1, fsGroup: 5, supplementalGroups: [6, 5] },
      containers: [{ name: 'c', securityContext: { runAsUser: 2, runAsGroup: 7 } }, { name: 'd' }],
    },
    { name: 'b', securityContext: null, containers: [] },
  ];

  expect(workloadIds(pods)).toEqual({ users: [2, 1], groups: [7, 5, 6] });
});
