import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { parseCidr } from './cidr.js';
import { drillClaim } from './claims.js';
import { startable } from './drill.js';
import { drillPolicy } from './isolation.js';
import { drillName, drillNamespace } from './names.js';
import { problemsOf } from './report.js';

const claim = (spec: object) => ({
  ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'shop' } },
  spec,
});
const of = (storageClass?: string) => ({ standby: 'shop', storageClass });

describe('Given the namespace of a drill', () => {
  test('Then it takes over who may run there, and nothing else', () => {
    const standby: KubeObject = {
      ...{ apiVersion: 'v1', kind: 'Namespace' },
      metadata: {
        name: 'shop',
        labels: {
          'pod-security.kubernetes.io/enforce': 'baseline',
          'dr-syncer.io/managed-by': 'dr-syncer',
          team: 'x',
        },
        annotations: {
          'openshift.io/sa.scc.uid-range': '1/2',
          'dr-syncer.io/privileged-movers': 'true',
          'dr-syncer.io/standby': '{}',
          'dr-syncer.io/active': 'true',
        },
      },
    };
    expect(drillNamespace(standby, 'd').metadata).toEqual({
      name: 'd',
      labels: { 'pod-security.kubernetes.io/enforce': 'baseline', 'dr-syncer.io/drill-of': 'shop' },
      annotations: { 'openshift.io/sa.scc.uid-range': '1/2', 'dr-syncer.io/privileged-movers': 'true' },
    });
  });

  test('Then traffic stays inside, but for DNS and what was asked for', () => {
    expect(drillPolicy('d', 'shop', ['192.0.2.0/24'])['spec']).toMatchObject({
      ...{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
      ingress: [{ from: [{ podSelector: {} }] }],
      egress: [
        { to: [{ podSelector: {} }] },
        { ports: expect.arrayContaining([{ protocol: 'UDP', port: 53 }]) as unknown },
        { to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
      ],
    });
  });

  test('Then its name has to fit', () => {
    expect(drillName('shop', 'a1b2c3')).toBe('shop-drill-a1b2c3');
    expect(() => drillName('x'.repeat(60), 'a1b2c3')).toThrow('too long');
  });
});

describe('Given a claim of the standby', () => {
  test('When it is copied Then it gets a volume of its own', () => {
    const copy = drillClaim(
      claim({ storageClassName: 'fast', volumeName: 'pv-1', selector: {}, dataSource: { kind: 'X' } }),
      'd',
      of(),
    );
    expect(copy).toMatchObject({ metadata: { name: 'data', namespace: 'd' } });
    expect(copy['spec']).toEqual({ storageClassName: 'fast' });
  });

  test('When nothing makes volumes for it Then it is refused with what to do, and a class that is given is taken', () => {
    expect(() => drillClaim(claim({ storageClassName: '' }), 'd', of())).toThrow('--storage-class');
    expect(drillClaim(claim({ storageClassName: '' }), 'd', of('fast'))['spec']).toEqual({
      storageClassName: 'fast',
    });
  });
});

describe('Given the objects of a drill at rest', () => {
  const resource = (group: string, kind: string) => ({
    ...{ group, version: 'v1', plural: 'x', kind, namespaced: true, verbs: [], subresources: [] },
    ...{ shortNames: [], singular: '', categories: [] },
  });
  const object = (kind: string, spec: object, annotations: Record<string, string>): KubeObject => ({
    ...{ apiVersion: kind === 'Deployment' ? 'apps/v1' : 'batch/v1', kind },
    metadata: { name: 'x', annotations },
    spec,
  });
  const objects = [
    {
      resource: resource('apps', 'Deployment'),
      object: object('Deployment', { replicas: 0 }, { 'dr-syncer.io/original-replicas': '2' }),
    },
    {
      resource: resource('batch', 'CronJob'),
      object: object('CronJob', { suspend: true }, { 'dr-syncer.io/original-suspend': 'false' }),
    },
  ];

  test.each([
    [false, ['Deployment']],
    [true, ['Deployment', 'CronJob']],
  ])('When jobs are asked for: %s Then these start: %s', (jobs, kinds) => {
    expect(startable(objects, jobs).map((one) => one.object.kind)).toEqual(kinds);
  });
});

describe('Given how a drill went', () => {
  const good = { failed: [], notUp: [], check: { exitCode: 0, timedOut: false } };
  test.each([
    ['all well', good, []],
    ['without a check', { ...good, check: undefined }, []],
    ['an object was refused', { ...good, failed: ['Secret x: no'] }, ['could not be made: Secret x: no']],
    [
      'something is not up',
      { ...good, notUp: ['Deployment x (0/1)'] },
      ['the copy did not come up: Deployment x (0/1)'],
    ],
    ['the check fails', { ...good, check: { exitCode: 3, timedOut: false } }, ['the check ended with 3']],
    [
      'the check hangs',
      { ...good, check: { exitCode: 128, timedOut: true } },
      ['the check has not ended in time'],
    ],
  ])('When %s Then that is said', (_title, facts, problems) => {
    expect(problemsOf(facts)).toEqual(problems);
  });
});

describe('Given addresses that the copy may reach', () => {
  test.each(['10.0.0.0/8', '192.0.2.1/32', 'fd00::/8', '0.0.0.0/0'])(
    'When they are %s Then they are taken',
    (text) => {
      expect(parseCidr(text)).toBe(text);
    },
  );
  test.each(['10.0.0.0', '10.0.0.0/33', 'x/8', '10.0.0.0/8/8', 'fd00::/129', '', '10.0.0.0/'])(
    'When they are "%s" Then they are refused',
    (text) => {
      expect(() => parseCidr(text)).toThrow('prefix length');
    },
  );
});
