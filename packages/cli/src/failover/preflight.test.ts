import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { findProblems, type Surroundings } from './preflight.js';
import { quantity } from './quotas.js';
import type { StandbyObject } from './workloads.js';

const web: KubeObject = {
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } },
  spec: {
    template: {
      spec: {
        serviceAccountName: 'web',
        priorityClassName: 'high',
        volumes: [
          { name: 'a', secret: { secretName: 'tls' } },
          { name: 'b', configMap: { name: 'maybe', optional: true } },
          { name: 'c', persistentVolumeClaim: { claimName: 'data' } },
          { name: 'd', projected: { sources: [{ configMap: { name: 'ca' } }] } },
        ],
        containers: [
          {
            image: 'nginx',
            env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'db', key: 'x' } } }],
            envFrom: [{ configMapRef: { name: 'settings' } }],
            resources: { requests: { cpu: '500m' } },
          },
        ],
      },
    },
  },
};

const runnable: StandbyObject[] = [
  {
    resource: { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', namespaced: true },
    object: web,
    patch: { spec: { replicas: 3 } },
  },
];

const around = (more: Partial<Surroundings> = {}): Surroundings => ({
  present: new Set(),
  storageClasses: new Set(),
  ingressClasses: new Set(),
  images: new Set(),
  quotas: [],
  ...more,
});

const inventory = (more: object = {}) => ({
  ...{ namespace: web, activation: undefined, lastSyncs: new Map(), objects: [], runnable, claims: [] },
  ...{ placeholders: [], ...more },
});

const texts = (...args: Parameters<typeof findProblems>) => findProblems(...args).map(({ text }) => text);

describe('Given a standby and the cluster around it', () => {
  test('When pods refer to what is not there Then each thing is named with who needs it, optional ones are not', () => {
    const found = texts(inventory(), around());

    for (const what of [
      ...['ServiceAccount web', 'PriorityClass high', 'Secret tls', 'PersistentVolumeClaim data'],
      ...['ConfigMap ca', 'Secret db', 'ConfigMap settings'],
    ]) {
      expect(found).toContain(`${what} is missing; Deployment web can't start`);
    }
    expect(found.join()).not.toContain('maybe');
  });

  test('When everything is there Then there is nothing to say', () => {
    const present = new Set([
      ...['ServiceAccount/web', 'PriorityClass/high', 'Secret/tls', 'PersistentVolumeClaim/data'],
      ...['ConfigMap/ca', 'Secret/db', 'ConfigMap/settings'],
    ]);
    const sync = { replication: 'a/b', result: 'Completed', message: '', endedAt: '', volumes: [] };
    const lastSyncs = new Map([['a/b', { ...sync, objects: { synced: 1, failed: 0 } }]]);
    const images = new Set(['docker.io/library/nginx:latest']);

    expect(texts(inventory({ lastSyncs }), around({ present, images }))).toEqual([]);
  });

  test('When an image is on no node Then that is said', () => {
    expect(texts(inventory(), around())).toContain('image nginx is on no node yet: it has to be pulled');
  });

  test('When a claim has no volume Then that is said, with the class that is missing', () => {
    const claims = [
      { name: 'a', phase: 'Pending', volume: undefined, storageClass: 'fast' },
      { name: 'b', phase: 'Pending', volume: undefined, storageClass: 'slow' },
      { name: 'c', phase: 'Bound', volume: 'pv', storageClass: 'gone' },
    ];

    const found = texts(inventory({ claims }), around({ storageClasses: new Set(['slow']) }));

    expect(found).toContain('claim a is Pending: there is no storage class fast');
    expect(found).toContain('claim b is Pending: it has no volume yet, and so no data');
    expect(found.join()).not.toContain('claim c');
  });

  test('When a quota is too small for what starts Then that is said with numbers', () => {
    const status = {
      hard: { pods: '4', 'requests.cpu': '1', 'requests.memory': '1Gi' },
      used: { pods: '2' },
    };

    const found = texts(inventory(), around({ quotas: [{ metadata: { name: 'q' }, status }] }));

    expect(found).toContain('quota q: pods has 2 left, the standby needs 3');
    expect(found).toContain('quota q: requests.cpu has 1 left, the standby needs 1.5');
    expect(found.join()).not.toContain('memory');
  });

  test('When no sync has left a record, or the last one failed Then that is said', () => {
    const failed = { replication: 'a/b', result: 'Failed', message: '', endedAt: '', volumes: [] };
    const lastSyncs = new Map([['a/b', { ...failed, objects: { synced: 1, failed: 1 } }]]);

    expect(texts(inventory(), around())[0]).toMatch(/its age is not known/);
    expect(texts(inventory({ lastSyncs }), around())[0]).toBe(
      'the last sync of a/b failed, and none has succeeded',
    );
  });
});

test.each([
  ['250m', 0.25],
  ['1Gi', 1073741824],
  ['2', 2],
  ['1e3', 1000],
  ['12E', 12e18],
  ['nonsense', Number.NaN],
])('the quantity %s is %d', (text, value) => {
  expect(quantity(text)).toBe(value);
});
