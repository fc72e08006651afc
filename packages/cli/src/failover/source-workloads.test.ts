import { mergePatched, type ScalePaths } from '@dr-syncer/controller';
import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { unnoted } from './numbers.js';
import { restOf } from './source-workloads.js';
import { type Pod, stopProblems } from './stop.js';

const custom: ScalePaths = new Map([
  ['Cluster.postgresql.cnpg.io', { path: ['spec', 'instances'], minimum: 1, absent: 1 }],
]);

const object = (apiVersion: string, kind: string, spec: object, metadata: object = {}): KubeObject => ({
  ...{ apiVersion, kind, spec },
  metadata: { name: 'x', ...metadata },
});

describe('Given something of a namespace that is to be brought to rest', () => {
  test.each([
    ['a Deployment', object('apps/v1', 'Deployment', { replicas: 3 })],
    ['a CronJob', object('batch/v1', 'CronJob', { suspend: false })],
    ['a DaemonSet', object('apps/v1', 'DaemonSet', { template: { spec: { nodeSelector: { a: 'b' } } } })],
    ['what KEDA scales', object('keda.sh/v1alpha1', 'ScaledObject', {}, { annotations: { mine: '1' } })],
    [
      'what keeps running in a standby',
      object('apps/v1', 'Deployment', { replicas: 3 }, { labels: { 'dr-syncer.io/scale-override': '1' } }),
    ],
  ])('When it is %s Then it is stopped once, and started as it was', (_name, running) => {
    const before = restOf(running, custom);
    const resting = mergePatched(running, before.stop ?? {}) as KubeObject;
    const after = restOf(resting, custom);

    expect([before.atRest, after.atRest]).toEqual([false, true]);
    expect(after.stop).toBeUndefined();
    const again = mergePatched(resting, after.start ?? {}) as KubeObject;
    expect(again['spec']).toEqual(running['spec']);
    expect(restOf(again, custom).start).toBeUndefined();
  });

  test('When somebody has scaled it to zero Then nothing of it runs, and the zero is noted', () => {
    const { atRest, stop } = restOf(object('apps/v1', 'Deployment', { replicas: 0 }), custom);
    expect(atRest).toBe(true);
    expect(stop).toMatchObject({ metadata: { annotations: { 'dr-syncer.io/original-replicas': '0' } } });
  });

  test.each([
    ['the standby runs it', 0, {}, 3, {}, 3],
    ['the standby has been stopped already', 0, {}, 0, { 'dr-syncer.io/original-replicas': '3' }, 3],
    ['its own number is noted', 0, { 'dr-syncer.io/original-replicas': '2' }, 3, {}, undefined],
    ['it runs', 2, {}, 3, {}, undefined],
    ['neither end runs it', 0, {}, 0, {}, undefined],
  ])(
    'When it was scaled to zero by hand and %s Then it is known how many there were',
    (_name, here, notes, there, notesThere, expected) => {
      const workload = (replicas: number, annotations: object) => {
        const one = object('apps/v1', 'Deployment', { replicas }, { annotations });
        const resource = {
          group: 'apps',
          version: 'v1',
          plural: 'deployments',
          kind: 'Deployment',
          namespaced: true,
        };
        return { resource, object: one, ...restOf(one, custom) };
      };
      const [found] = unnoted([workload(here, notes)], [workload(there, notesThere)]);
      expect(found?.replicas).toBe(expected);
    },
  );

  test('When its kind can not be at zero Then that is said', () => {
    const cluster = object('postgresql.cnpg.io/v1', 'Cluster', { instances: 3 });
    const rest = restOf(cluster, custom);
    expect(rest).toMatchObject({ atRest: false, stop: undefined, problem: { code: 'CannotPark' } });
    const resource = { group: 'x', version: 'v1', plural: 'x', kind: 'Cluster', namespaced: true };
    expect(stopProblems([{ resource, object: cluster, ...rest }], [])).toEqual([
      expect.stringMatching(/^Cluster x: .*stop it yourself$/),
    ]);
  });

  test('When a pod stands alone Then it is named, for nothing would start it again', () => {
    const pod = (name: string, ownerReferences: object[]): Pod =>
      ({
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, ownerReferences } },
        spec: { volumes: [{ persistentVolumeClaim: { claimName: 'c' } }] },
      }) as Pod;
    expect(stopProblems([], [pod('alone', []), pod('kept', [{ kind: 'ReplicaSet' }])])).toEqual([
      expect.stringContaining('Pod alone'),
    ]);
  });
});
