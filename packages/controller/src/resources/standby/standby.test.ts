import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { mergePatched } from '../merge-patch.js';
import type { ScalePaths } from './kinds.js';
import { activationPatch, awake, parkingPatch } from './standby.js';

const custom: ScalePaths = new Map([
  ['Rollout.argoproj.io', { path: ['spec', 'replicas'], minimum: 0, absent: undefined }],
  ['Widget.example.com', { path: ['spec', 'pods', 'size'], minimum: 0, absent: undefined }],
  ['Cluster.postgresql.cnpg.io', { path: ['spec', 'instances'], minimum: 1, absent: 1 }],
]);

const object = (
  apiVersion: string,
  kind: string,
  spec: object,
  metadata: object = {},
  status?: object,
): KubeObject => ({
  ...{ apiVersion, kind, spec },
  metadata: { name: 'x', ...metadata },
  ...(status && { status }),
});

const park = (source: KubeObject): KubeObject =>
  mergePatched(source, parkingPatch(source, custom) ?? {}) as KubeObject;
const activate = (standby: KubeObject): KubeObject =>
  mergePatched(standby, activationPatch(standby, custom) ?? {}) as KubeObject;

/** Without annotations that are there but empty. */
const plain = (one: KubeObject): unknown =>
  JSON.parse(JSON.stringify(one), (key, value: unknown) =>
    (key === 'annotations' || key === 'nodeSelector') &&
    typeof value === 'object' &&
    Object.keys(value ?? {}).length === 0
      ? undefined
      : value,
  );

const override = { labels: { 'dr-syncer.io/scale-override': '1' } };
const template = { spec: { nodeSelector: { disk: 'ssd' }, containers: [] } };

describe('Given something that runs', () => {
  test.each<[string, KubeObject, object]>([
    ['a Deployment', object('apps/v1', 'Deployment', { replicas: 3 }), { replicas: 0 }],
    ['a StatefulSet', object('apps/v1', 'StatefulSet', { replicas: 2 }), { replicas: 0 }],
    ['a ReplicaSet', object('apps/v1', 'ReplicaSet', { replicas: 1 }), { replicas: 0 }],
    ['a ReplicationController', object('v1', 'ReplicationController', { replicas: 1 }), { replicas: 0 }],
    [
      'a DeploymentConfig',
      object('apps.openshift.io/v1', 'DeploymentConfig', { replicas: 1 }),
      { replicas: 0 },
    ],
    ['what has 0 already', object('apps/v1', 'Deployment', { replicas: 0 }), { replicas: 0 }],
    ['a custom kind', object('argoproj.io/v1alpha1', 'Rollout', { replicas: 4 }), { replicas: 0 }],
    [
      'one with its number elsewhere',
      object('example.com/v1', 'Widget', { pods: { size: 4, x: 1 } }),
      { pods: { size: 0, x: 1 } },
    ],
    [
      'a custom kind without a number',
      object('argoproj.io/v1alpha1', 'Rollout', { a: 1 }),
      { a: 1, replicas: 0 },
    ],
    ['a CronJob', object('batch/v1', 'CronJob', { suspend: false }), { suspend: true }],
    ['a suspended CronJob', object('batch/v1', 'CronJob', { suspend: true }), { suspend: true }],
    ['a Job', object('batch/v1', 'Job', { suspend: false }), { suspend: true }],
    [
      'a DaemonSet',
      object('apps/v1', 'DaemonSet', { template }),
      {
        template: { spec: { containers: [], nodeSelector: { disk: 'ssd', 'dr-syncer.io/parked': 'true' } } },
      },
    ],
    [
      'a DaemonSet without a selector',
      object('apps/v1', 'DaemonSet', { template: { spec: {} } }),
      { template: { spec: { nodeSelector: { 'dr-syncer.io/parked': 'true' } } } },
    ],
    [
      'an autoscaler from 0',
      object('autoscaling/v2', 'HorizontalPodAutoscaler', { minReplicas: 0 }),
      { minReplicas: 1 },
    ],
    [
      'an autoscaler',
      object('autoscaling/v2', 'HorizontalPodAutoscaler', { minReplicas: 2 }),
      { minReplicas: 2 },
    ],
    ['a budget', object('policy/v1', 'PodDisruptionBudget', { minAvailable: 1 }), { minAvailable: 1 }],
    [
      'a ScaledObject',
      object('keda.sh/v1alpha1', 'ScaledObject', { minReplicaCount: 1 }),
      { minReplicaCount: 1 },
    ],
    [
      'a paused ScaledObject',
      object(
        'keda.sh/v1alpha1',
        'ScaledObject',
        {},
        { annotations: { 'autoscaling.keda.sh/paused-replicas': '3' } },
      ),
      {},
    ],
    ['a ScaledJob', object('keda.sh/v1alpha1', 'ScaledJob', {}), {}],
  ])('%s is brought to rest, and back to what it was', (_title, source, spec) => {
    const standby = park(source);
    expect(standby['spec']).toEqual(spec);
    const active = activate(standby);
    expect(plain(active)).toEqual(plain(source));
    expect(activationPatch(active, custom)).toBeUndefined();
  });

  test.each([
    ['ScaledObject', 'autoscaling.keda.sh/paused-replicas', '0'],
    ['ScaledJob', 'autoscaling.keda.sh/paused', 'true'],
  ])('KEDA is told to pause its %s', (kind, key, value) => {
    expect(park(object('keda.sh/v1alpha1', kind, {})).metadata.annotations).toMatchObject({ [key]: value });
  });

  test.each<[KubeObject, object]>([
    [object('apps/v1', 'Deployment', { replicas: 3 }, override), { replicas: 1 }],
    [object('postgresql.cnpg.io/v1', 'Cluster', { instances: 3 }, override), { instances: 1 }],
    [object('batch/v1', 'CronJob', { suspend: false }, override), { suspend: false }],
    [object('apps/v1', 'DaemonSet', { template }, override), { template }],
  ])('%j runs as the label scale-override says', (source, spec) => {
    expect(park(source)['spec']).toEqual(spec);
    expect(activate(park(source))['spec']).toEqual(source['spec']);
  });

  test.each(['Complete', 'Failed'])('a Job that is %s is not started again by activation', (type) => {
    const finished = object(
      'batch/v1',
      'Job',
      { suspend: false },
      {},
      { conditions: [{ type, status: 'True' }] },
    );
    const standby: KubeObject = { ...park(finished), status: undefined };
    expect(standby['spec']).toEqual({ suspend: true });
    expect(activate(standby)['spec']).toEqual({ suspend: true });
  });

  test('a kind that does not take 0 is refused, naming field and number', () => {
    const cluster = object('postgresql.cnpg.io/v1', 'Cluster', { instances: 3 });
    expect(() => parkingPatch(cluster, custom)).toThrow(
      "spec.instances of Cluster x can't be 0: its schema takes 1 or more",
    );
  });

  test('what does not run is left alone', () => {
    expect(parkingPatch(object('v1', 'ConfigMap', {}), custom)).toBeUndefined();
    expect(activationPatch(object('v1', 'ConfigMap', {}), custom)).toBeUndefined();
    // A kind of the same name in another group is another kind.
    expect(parkingPatch(object('example.com/v1', 'Deployment', { replicas: 1 }), custom)).toBeUndefined();
  });
});

describe('Given something that is at rest already, as a source after a planned failover', () => {
  test.each([
    ['a Deployment', object('apps/v1', 'Deployment', { replicas: 3 })],
    ['a CronJob', object('batch/v1', 'CronJob', { suspend: false })],
    ['a DaemonSet', object('apps/v1', 'DaemonSet', { template })],
    ['a ScaledObject', object('keda.sh/v1alpha1', 'ScaledObject', {})],
    ['a ScaledJob', object('keda.sh/v1alpha1', 'ScaledJob', {})],
  ])(
    'When %s is brought to rest once more Then starting it still gives what there was first',
    (_name, source) => {
      expect(plain(activate(park(park(source))))).toEqual(plain(source));
      expect(awake(park(source), custom)).toEqual({
        ...source,
        metadata: expect.objectContaining({ name: 'x' }),
      });
      expect(awake(source, custom)).toBe(source);
    },
  );
});
