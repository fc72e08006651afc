import { describe, expect, test } from '@jest/globals';

import { answer } from './answer.js';
import { judge } from './judge.js';
import { parseVectors, type Vector } from './vector.js';

const any = { type: 'RunAsAny' };
const scc = {
  metadata: { name: 'mine' },
  runAsUser: any,
  seLinuxContext: any,
  fsGroup: any,
  supplementalGroups: any,
};
const inRange = { ...scc, runAsUser: { type: 'MustRunAsRange' } };
const annotations = { 'openshift.io/sa.scc.uid-range': '5/3', 'openshift.io/sa.scc.mcs': 's0:c1,c0' };
const bad = { ...annotations, 'openshift.io/sa.scc.uid-range': 'x' };

const cases: [result: string, vector: Omit<Vector, 'id'>][] = [
  ['passed', { op: 'parseBlock', in: '5/3', expected: { start: 5, end: 7 } }],
  ['passed', { op: 'parseBlock', in: '5', expected: { error: 'unexpected EOF' } }],
  ['failed', { op: 'parseBlock', in: '5/3', expected: { start: 5, end: 8 } }],
  ['failed', { op: 'parseBlock', in: '5/3', expected: { error: 'EOF' } }],
  ['failed', { op: 'parseBlock', in: '5', expected: { start: 5, end: 5 } }],
  ['stricter EmptyBlock', { op: 'parseBlock', in: '1/0', expected: { start: 1, end: 0 } }],
  ['stricter WrappedBlock', { op: 'parseBlock', in: '0/0', expected: { start: 0, end: 4294967295 } }],
  ['stricter InvertedBlock', { op: 'parseBlock', in: '5-1', expected: { start: 5, end: 1 } }],
  ['stricter TrailingText', { op: 'parseBlock', in: '1/5xyz', expected: { start: 1, end: 5 } }],
  ['stricter IdTooLarge', { op: 'parseBlocks', in: '1/5,3000000000/1', expected: { blocks: [] } }],
  [
    'passed',
    {
      op: 'parseBlocks',
      in: '1/5,6-7',
      expected: {
        blocks: [
          [1, 5],
          [6, 7],
        ],
      },
    },
  ],
  ['passed', { op: 'uidRange', annotations, expected: { min: 5, max: 7 } }],
  [
    'passed',
    {
      op: 'uidRange',
      annotations: {},
      expected: { error: 'unable to find annotation openshift.io/sa.scc.uid-range' },
    },
  ],
  ['failed', { op: 'uidRange', annotations: {}, expected: { error: 'something else' } }],
  [
    'stricter SeveralBlocks',
    {
      op: 'uidRange',
      annotations: { 'openshift.io/sa.scc.uid-range': '1/5,9/5' },
      expected: { min: 1, max: 5 },
    },
  ],
  ['passed', { op: 'level', annotations, expected: { level: 's0:c1,c0' } }],
  ['passed', { op: 'fsGroupRanges', annotations, expected: { ranges: [{ min: 5, max: 5 }] } }],
  ['passed', { op: 'supplementalGroupsRanges', annotations, expected: { ranges: [{ min: 5, max: 7 }] } }],
  [
    'passed',
    {
      op: 'provider',
      annotations,
      scc: inRange,
      expected: {
        resolved: {
          ...scc,
          metadata: null,
          runAsUser: { type: 'MustRunAsRange', uidRangeMin: 5, uidRangeMax: 7 },
        },
      },
    },
  ],
  [
    'passed',
    {
      op: 'provider',
      annotations: bad,
      scc: inRange,
      expected: {
        error:
          'unable to find pre-allocated uid annotation for namespace default while trying to configure SCC mine: expected integer',
      },
    },
  ],
  [
    'failed',
    {
      op: 'provider',
      annotations: bad,
      scc: inRange,
      expected: {
        error:
          'unable to find pre-allocated uid annotation for namespace default while trying to configure SCC other: expected integer',
      },
    },
  ],
  [
    'passed',
    {
      op: 'assign',
      annotations,
      scc: inRange,
      podSecurityContext: {},
      expected: {
        podSecurityContext: { supplementalGroups: null },
        containerSecurityContext: { runAsUser: 5, runAsNonRoot: true },
        effective: { runAsUser: 5, runAsNonRoot: true, fsGroup: null },
      },
    },
  ],
  [
    'passed',
    {
      op: 'assign',
      annotations,
      scc: inRange,
      podSecurityContext: { runAsUser: 8 },
      expected: {
        errors: ['provider mine: .containers[0].runAsUser: Invalid value: 8: must be in the ranges: [5, 7]'],
      },
    },
  ],
  [
    'passed',
    {
      op: 'validatePod',
      scc: { ...scc, fsGroup: { type: 'MustRunAs', ranges: [{ min: 1, max: 2 }] } },
      podSecurityContext: { fsGroup: 3 },
      expected: { errors: ['spec.fsGroup: Invalid value: [3]: 3 is not an allowed group'] },
    },
  ],
  [
    'passed',
    {
      op: 'validateContainer',
      scc: { ...scc, runAsUser: { type: 'MustRunAs' } },
      containerSecurityContext: {},
      expected: { error: 'MustRunAs requires a UID' },
    },
  ],
];

describe('Given a vector', () => {
  test.each(cases)('When our answer is compared, Then it has %s: %j', (result, vector) => {
    const [whole] = parseVectors(JSON.stringify({ vectors: [{ id: 'v1', ...vector }] }));
    const ours = answer(whole!);
    const verdict = judge(whole!, ours!);

    expect([verdict.result, ...('rule' in verdict ? [verdict.rule] : [])].join(' ')).toBe(result);
  });

  test.each(['select', 'sort', 'points', 'appliesTo'])(
    'When the operation is %s, Then it is not covered',
    (op) => {
      expect(answer({ id: 'v1', op, expected: {} })).toBeNull();
    },
  );

  test('When the operation is unknown, Then that is an error, not a pass', () => {
    expect(() => answer({ id: 'v1', op: 'other', expected: {} })).toThrow('v1: unknown operation other');
  });

  test.each(['{}', '{"vectors":[{"id":"v1"}]}', '[null]'])(
    'When the file is %s, Then that is an error',
    (text) => {
      expect(() => parseVectors(text)).toThrow();
    },
  );
});
