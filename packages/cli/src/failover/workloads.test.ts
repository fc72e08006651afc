import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { isUp, ranksOf, readinessOf, type StandbyObject } from './workloads.js';

const object = (kind: string, name: string, more: Partial<KubeObject> = {}): KubeObject => ({
  ...{ apiVersion: 'apps/v1', kind, metadata: { name, namespace: 'shop', generation: 2 } },
  ...more,
});

const standby = (kind: string, name: string, order?: string): StandbyObject => ({
  resource: { group: 'apps', version: 'v1', plural: kind, kind, namespaced: true },
  object: object(kind, name, {
    metadata: { name, annotations: order === undefined ? {} : { 'dr-syncer.io/start-order': order } },
  }),
  patch: {},
});

describe('Given a standby of many kinds', () => {
  test('When it is started Then data comes first and work by the clock last, unless an object says otherwise', () => {
    const ranks = ranksOf([
      standby('CronJob', 'nightly'),
      standby('Deployment', 'web'),
      standby('StatefulSet', 'db'),
      standby('Cluster', 'operators-db'),
      standby('Deployment', 'migrations', '5'),
      standby('Deployment', 'odd', 'first'),
      standby('HorizontalPodAutoscaler', 'web'),
    ]);

    expect(ranks.map((rank) => rank.map(({ object: { metadata } }) => metadata.name))).toEqual([
      ['migrations'],
      ['db', 'operators-db'],
      ['web', 'odd'],
      ['web'],
      ['nightly'],
    ]);
  });
});

describe('Given the status of a workload', () => {
  const deployment = (status: object, replicas?: number) =>
    object('Deployment', 'web', { spec: { ...(replicas !== undefined && { replicas }) }, status });

  test.each([
    ['not looked at yet', deployment({ observedGeneration: 1, readyReplicas: 3 }, 3), 0, 3],
    ['on its way', deployment({ observedGeneration: 2, readyReplicas: 1 }, 3), 1, 3],
    ['up', deployment({ observedGeneration: 2, readyReplicas: 3 }, 3), 3, 3],
    ['without a number', deployment({ observedGeneration: 2, readyReplicas: 1 }), 1, 1],
    ['asked for none', deployment({ observedGeneration: 2 }, 0), 0, 0],
    [
      'a DaemonSet not looked at yet',
      object('DaemonSet', 'd', { status: { observedGeneration: 1, desiredNumberScheduled: 0 } }),
      0,
      1,
    ],
    [
      'a DaemonSet that is up',
      object('DaemonSet', 'd', {
        status: { observedGeneration: 2, desiredNumberScheduled: 2, numberReady: 2 },
      }),
      2,
      2,
    ],
  ])('When it is %s Then that is what is ready of what is wanted', (_name, given, ready, wanted) => {
    expect(readinessOf(given)).toEqual({ ready, wanted });
    expect(isUp(given)).toBe(ready >= wanted);
  });

  test('When nobody can say Then it is not waited for', () => {
    expect(readinessOf(object('CronJob', 'c'))).toBeUndefined();
    expect(isUp(object('CronJob', 'c'))).toBe(true);
  });
});
