import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import type { Activation } from './activation.js';
import { syncProblem } from './controller-request.js';
import { refusal } from './failback.js';
import { mismatch } from './pair.js';
import type { Workload } from './source-workloads.js';

const active = (phase: Activation['phase']): Activation => ({ phase, startedAt: '2026-06-01T12:00:00Z' });
const running: Workload[] = [
  {
    resource: { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', namespaced: true },
    object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
    ...{ stop: {}, start: undefined, atRest: false, problem: undefined },
  },
];

describe('Given a wish to fail back', () => {
  const options = { paused: false, stopSource: false, key: 'ops/shop' };
  test.each<[string, Activation | undefined, Workload[], object, RegExp | undefined]>([
    ['the standby is active and the source at rest', active('Active'), [], {}, undefined],
    ['it was begun before', active('Returning'), [], {}, undefined],
    ['the source is being started by it', active('Returned'), running, {}, undefined],
    ['the standby is one', undefined, [], {}, /not active/],
    ['the failover is not done', active('Starting'), [], {}, /failover/],
    ['the source runs', active('Active'), running, {}, /Deployment web.*--stop-source/],
    ['the source runs and may be stopped', active('Active'), running, { stopSource: true }, undefined],
    ['the Replication is paused', active('Active'), [], { paused: true }, /ops\/shop is paused/],
  ])('When %s Then it is answered so', (_name, activation, workloads, more, expected) => {
    const answer = refusal({ activation }, workloads, { ...options, ...more });
    if (expected === undefined) expect(answer).toBeUndefined();
    else expect(answer).toMatch(expected);
  });
});

describe('Given two clusters', () => {
  const route = { remoteKey: 'ops/standby', sourceNamespace: 'shop', destinationNamespace: 'shop-dr' };
  const record = { cluster: 'c1', namespace: 'shop', replications: { 'ops/shop': ['u'] } };
  const namespace = (value: unknown): KubeObject => ({
    ...{ apiVersion: 'v1', kind: 'Namespace' },
    metadata: { name: 'shop-dr', annotations: { 'dr-syncer.io/standby': JSON.stringify(value) } },
  });
  test.each<[string, KubeObject | undefined, RegExp | undefined]>([
    ['it is the standby', namespace(record), undefined],
    ['it is not there', undefined, /no namespace shop-dr/],
    ['it is of another cluster', namespace({ ...record, cluster: 'c2' }), /another cluster/],
    ['it is of another namespace', namespace({ ...record, namespace: 'bank' }), /not the standby of/],
    ['it is of another Replication', namespace({ ...record, replications: {} }), /not the standby of/],
    ['it is anybody else’s', { ...namespace(record), metadata: { name: 'shop-dr' } }, /no standby/],
  ])('When %s Then that is known before anything is done', (_name, standby, expected) => {
    const problem = mismatch(standby, { key: 'ops/shop', route, sourceId: 'c1' });
    if (expected === undefined) expect(problem).toBeUndefined();
    else expect(problem).toMatch(expected);
  });
});

describe('Given the answer to the last sync before a switch', () => {
  const ready = (status: 'True' | 'False') => [
    {
      ...{ type: 'Ready', status, reason: 'R', message: 'two objects failed' },
      ...{ lastTransitionTime: '2026-06-01T12:00:00Z', observedGeneration: 1 },
    },
  ];
  test.each([
    [
      'everything is in place',
      { conditions: ready('True'), volumes: [{ name: 'v', phase: 'Succeeded' }] },
      undefined,
    ],
    ['something is not', { conditions: ready('False') }, 'two objects failed'],
    [
      'a volume is not',
      { conditions: ready('True'), volumes: [{ name: 'v', phase: 'Failed' }] },
      'volume v is Failed',
    ],
    ['nothing is said', { phase: 'Failed' }, 'phase Failed'],
  ] as const)('When %s Then the switch goes on or not', (_name, status, expected) => {
    expect(syncProblem(status as unknown as Parameters<typeof syncProblem>[0])).toBe(expected);
  });
});
