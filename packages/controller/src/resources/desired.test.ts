import { annotation, label, type Replication, replicationSchema } from '@dr-syncer/api';
import type { ApiResource, KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { compileDesired } from './desired.js';
import { hashOf } from './hash.js';
import { mergePatched } from './merge-patch.js';
import { parkingPatch } from './standby/standby.js';
import { typeOf } from './testing/types.js';

function replication(spec: Record<string, unknown> = {}): Replication {
  return replicationSchema.parse({
    metadata: {
      ...{ name: 'shop', namespace: 'dr-syncer-system', uid: 'uid-1', resourceVersion: '1' },
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { destinationCluster: 'standby', ...spec },
  });
}

const apiVersions: Readonly<Record<string, string>> = {
  ...{ Deployment: 'apps/v1', StatefulSet: 'apps/v1', DaemonSet: 'apps/v1', ReplicaSet: 'apps/v1' },
  ...{ Job: 'batch/v1', CronJob: 'batch/v1', HorizontalPodAutoscaler: 'autoscaling/v2' },
  ...{ ScaledObject: 'keda.sh/v1alpha1', ScaledJob: 'keda.sh/v1alpha1', Widget: 'example.com/v1' },
};

function object(
  kind: string,
  rest: Record<string, unknown>,
  metadata: Record<string, unknown> = {},
): KubeObject {
  return {
    apiVersion: apiVersions[kind] ?? 'v1',
    kind,
    metadata: {
      ...{ name: 'x', namespace: 'shop', uid: 'u', resourceVersion: '7', generation: 3 },
      ...{ creationTimestamp: '2026-01-01T00:00:00Z', managedFields: [{}], finalizers: ['f'] },
      ...metadata,
    },
    ...rest,
  };
}

const outcomeOf = (source: KubeObject, spec: Record<string, unknown> = {}, type?: ApiResource) =>
  compileDesired({
    ...{ replication: replication(spec), sourceNamespace: 'shop', destinationNamespace: 'shop-dr' },
  })(source, type ?? typeOf(source));

const desired = (source: KubeObject, spec: Record<string, unknown> = {}) => {
  const result = outcomeOf(source, spec);
  if (result.outcome !== 'object') throw new Error(JSON.stringify(result));
  return result.object;
};

describe('Given an object of the source', () => {
  test('When it is made ready for the destination Then only what its user wrote is left', () => {
    const source = object(
      'ConfigMap',
      { data: { a: '1' }, status: {} },
      { labels: { app: 'x' }, ownerReferences: [] },
    );

    const { metadata, ...rest } = desired(source);

    expect(rest).toEqual({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } });
    expect(metadata).toEqual({
      name: 'x',
      namespace: 'shop-dr',
      labels: { app: 'x', [label.managedBy]: 'dr-syncer', [label.replication]: 'uid-1' },
      annotations: {
        [annotation.source]: 'shop/x',
        [annotation.desiredHash]: expect.stringMatching(/^[0-9a-f]{24}$/),
      },
    });
  });

  test('When it is made ready Then the source itself is not changed', () => {
    const source = object('Deployment', { spec: { replicas: 3, template: { spec: {} } } });
    const before = structuredClone(source);

    desired(source);

    expect(source).toEqual(before);
  });

  test('When only server-owned fields differ Then the hash is the same', () => {
    const hash = (o: KubeObject) => desired(o).metadata.annotations?.[annotation.desiredHash];

    const one = hash(object('ConfigMap', { data: { a: '1', b: '2' } }));
    const other = hash(
      object('ConfigMap', { data: { b: '2', a: '1' } }, { resourceVersion: '99', managedFields: [] }),
    );

    expect(other).toBe(one);
    expect(hash(object('ConfigMap', { data: { a: '2', b: '2' } }))).not.toBe(one);
  });

  test('When it has fields that nobody here knows Then they survive', () => {
    const source = object('Widget', { spec: { deep: { fooNewField: [1, null, { x: true }] } }, extra: 1 });

    expect(desired(source)).toMatchObject({
      spec: { deep: { fooNewField: [1, null, { x: true }] } },
      extra: 1,
    });
  });
});

describe('Given a Service', () => {
  test.each([
    ['an allocated address is dropped', { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] }, {}],
    [
      'a headless one stays headless',
      { clusterIP: 'None', clusterIPs: ['None'] },
      { clusterIP: 'None', clusterIPs: ['None'] },
    ],
    ['node ports are dropped', { ports: [{ port: 80, nodePort: 30_001 }] }, { ports: [{ port: 80 }] }],
  ])('%s', (_title, spec, expected) => {
    expect(desired(object('Service', { spec }))['spec']).toEqual(expected);
  });

  test('node ports stay when asked for', () => {
    const spec = { ports: [{ port: 80, nodePort: 30_001 }] };

    expect(
      desired(object('Service', { spec }), { serviceConfig: { preserveNodePorts: true } })['spec'],
    ).toEqual(spec);
  });
});

describe('Given a workload', () => {
  const workload = (kind: string, spec: Record<string, unknown>, labels: Record<string, string> = {}) =>
    desired(object(kind, { spec }, { labels }));

  test.each([
    ['Deployment', { replicas: 3 }, { replicas: 0 }, { [annotation.originalReplicas]: '3' }],
    ['StatefulSet', {}, { replicas: 0 }, { [annotation.originalReplicas]: '1' }],
    [
      'CronJob',
      { schedule: '@daily' },
      { schedule: '@daily', suspend: true },
      { [annotation.originalSuspend]: 'false' },
    ],
    ['Job', { suspend: true }, { suspend: true }, { [annotation.originalSuspend]: 'true' }],
  ])('%s is there, but at rest', (kind, spec, expected, annotations) => {
    const result = workload(kind, spec);

    expect(result['spec']).toEqual(expected);
    expect(result.metadata.annotations).toMatchObject(annotations);
  });

  test('a DaemonSet is parked and keeps its own selector', () => {
    const result = workload('DaemonSet', { template: { spec: { nodeSelector: { disk: 'ssd' } } } });

    expect(result['spec']).toEqual({
      template: { spec: { nodeSelector: { disk: 'ssd', 'dr-syncer.io/parked': 'true' } } },
    });
  });

  test('the label scale-override decides the replicas', () => {
    const result = workload('Deployment', { replicas: 3 }, { [label.scaleOverride]: '2' });
    expect(result['spec']).toEqual({ replicas: 2 });
    expect(result.metadata.annotations).toMatchObject({ [annotation.originalReplicas]: '3' });
  });

  test.each(['true', '', '-1', '1.5', '100000'])(
    'scale-override "%s" is no number, which is said',
    (value) => {
      const source = object(
        'Deployment',
        { spec: { replicas: 3 } },
        { labels: { [label.scaleOverride]: value } },
      );
      expect(outcomeOf(source)).toMatchObject({
        outcome: 'failed',
        error: { code: 'CannotPark', message: expect.stringContaining('dr-syncer.io/scale-override') },
      });
    },
  );

  test('nothing is scaled when scaleToZero is off', () => {
    const source = object('Deployment', { spec: { replicas: 3 } });

    expect(desired(source, { deploymentConfig: { scaleToZero: false } })['spec']).toEqual({ replicas: 3 });
  });

  test('Jobs are left out when that is asked for', () => {
    const source = object('Job', { spec: {} });
    expect(outcomeOf(source, { deploymentConfig: { jobs: 'Skip' } })).toMatchObject({
      outcome: 'skipped',
      reason: 'spec.deploymentConfig.jobs is Skip',
    });
  });
});

describe('Given a claim', () => {
  const spec = {
    accessModes: ['ReadWriteMany', 'ReadWriteOnce'],
    storageClassName: 'fast',
    volumeName: 'pv-7',
    dataSource: { kind: 'VolumeSnapshot', name: 's' },
    resources: { requests: { storage: '1Gi' } },
  };
  const bound = { annotations: { 'pv.kubernetes.io/bind-completed': 'yes', mine: 'kept' } };

  test('When it is mapped Then it names nothing of the source cluster', () => {
    const result = desired(object('PersistentVolumeClaim', { spec }, bound), {
      pvcConfig: {
        storageClassMapping: { fast: 'standard' },
        accessModeMapping: { ReadWriteMany: 'ReadWriteOnce' },
      },
    });

    expect(result['spec']).toEqual({
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'standard',
      resources: { requests: { storage: '1Gi' } },
    });
    expect(result.metadata.annotations).toMatchObject({ mine: 'kept' });
    expect(result.metadata.annotations).not.toHaveProperty(['pv.kubernetes.io/bind-completed']);
  });

  test('"*" maps the classes that have no mapping of their own', () => {
    const result = desired(object('PersistentVolumeClaim', { spec }), {
      pvcConfig: { storageClassMapping: { '*': 'any' } },
    });

    expect(result['spec']).toMatchObject({ storageClassName: 'any' });
  });
});

test('the hash does not depend on the order of keys, but on that of lists', () => {
  expect(hashOf({ a: 1, b: { c: 2, d: 3 } })).toBe(hashOf({ b: { d: 3, c: 2 }, a: 1 }));
  expect(hashOf([1, 2])).not.toBe(hashOf([2, 1]));
});

describe('Given a source that a planned failover has brought to rest', () => {
  test.each([
    object('Deployment', { spec: { replicas: 3, template: { spec: {} } } }),
    object('Deployment', { spec: { replicas: 3 } }, { annotations: { mine: 'x' } }),
    object('DaemonSet', { spec: { template: { spec: { containers: [] } } } }),
    object('CronJob', { spec: { suspend: false, jobTemplate: {} } }),
    object('HorizontalPodAutoscaler', { spec: { minReplicas: 0, maxReplicas: 3 } }),
  ])('When %j is made ready for the destination Then it is what it was when it ran', (source) => {
    const resting = mergePatched(source, parkingPatch(source, new Map()) ?? {}) as KubeObject;
    expect(desired(resting)).toEqual(desired(source));
  });
});
