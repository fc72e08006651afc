import { annotation, label } from '@dr-syncer/api';
import { type KubeClient, KubeError, type KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { servedType } from '../testing/types.js';
import { classesOf } from './classes.js';
import {
  decideDefinition,
  desiredDefinition,
  isEstablished,
  mayBeCustom,
  untilServed,
} from './definitions.js';
import { desiredNamespace } from './namespace-metadata.js';

describe('Given a namespace', () => {
  const source: KubeObject = {
    ...{ apiVersion: 'v1', kind: 'Namespace' },
    metadata: {
      name: 'shop',
      labels: {
        'kubernetes.io/metadata.name': 'shop',
        'pod-security.kubernetes.io/enforce': 'restricted',
        team: 'red',
        'field.cattle.io/projectId': 'p-1',
        'dr-syncer.io/managed-by': 'someone',
      },
      annotations: {
        note: 'hello',
        'openshift.io/sa.scc.uid-range': '1000/10000',
        'openshift.io/sa.scc.mcs': 's0:c1,c2',
        'openshift.io/sa.scc.supplemental-groups': '1000/10000',
        'openshift.io/display-name': 'Shop',
        'dr-syncer.io/privileged-movers': 'true',
        'volsync.backube/privileged-movers': 'true',
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
      },
    },
  };
  const ours = { [label.managedBy]: 'dr-syncer' };
  const marks = { [annotation.source]: 'shop', [annotation.desiredHash]: expect.any(String) };
  const security = { 'pod-security.kubernetes.io/enforce': 'restricted' };

  test.each([
    [{ namespaceLabels: false, namespaceAnnotations: false }, security, {}],
    [{ namespaceLabels: true, namespaceAnnotations: false }, { ...security, team: 'red' }, {}],
    [
      { namespaceLabels: false, namespaceAnnotations: true },
      security,
      { note: 'hello', 'openshift.io/display-name': 'Shop' },
    ],
  ])('with %j, what is allocated and what gives rights stays behind', (wanted, labels, annotations) => {
    expect(desiredNamespace(source, 'shop-dr', wanted)).toEqual({
      ...{ apiVersion: 'v1', kind: 'Namespace' },
      metadata: {
        name: 'shop-dr',
        labels: { ...labels, ...ours },
        annotations: { ...annotations, ...marks },
      },
    });
  });
});

describe('Given a definition', () => {
  const source: KubeObject = {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
    metadata: {
      ...{ name: 'widgets.shop.test', uid: 'u', resourceVersion: '7', generation: 2 },
      annotations: { 'api-approved.kubernetes.io': 'https://x' },
    },
    spec: {
      group: 'shop.test',
      conversion: {
        strategy: 'Webhook',
        webhook: {
          clientConfig: { service: { name: 'w', namespace: 'shop' } },
          conversionReviewVersions: ['v1'],
        },
      },
    },
    status: { acceptedNames: {} },
  };
  const desired = desiredDefinition(source, { shop: 'shop-dr' });

  test('it is copied without what its cluster wrote, its webhook in the new namespace', () => {
    expect(desired).toEqual({
      ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
      metadata: {
        name: 'widgets.shop.test',
        labels: { [label.managedBy]: 'dr-syncer' },
        annotations: {
          'api-approved.kubernetes.io': 'https://x',
          [annotation.desiredHash]: expect.any(String),
        },
      },
      spec: {
        group: 'shop.test',
        conversion: {
          strategy: 'Webhook',
          webhook: {
            clientConfig: { service: { name: 'w', namespace: 'shop-dr' } },
            conversionReviewVersions: ['v1'],
          },
        },
      },
    });
  });

  test.each<[string, KubeObject | undefined, string]>([
    ['is missing', undefined, 'create'],
    ['is the same', desired, 'leave'],
    ['is of somebody else', { ...source }, 'leave'],
    ['is ours and old', desiredDefinition({ ...source, spec: {} }, {}), 'update'],
  ])('that %s at the destination: %s', (_title, present, decision) => {
    expect(decideDefinition(present, desired)).toBe(decision);
  });

  test.each([
    [[], false],
    [[{ type: 'Established', status: 'True' }], false],
    [
      [
        { type: 'Established', status: 'False' },
        { type: 'NamesAccepted', status: 'True' },
      ],
      false,
    ],
    [
      [
        { type: 'Established', status: 'True' },
        { type: 'NamesAccepted', status: 'True' },
      ],
      true,
    ],
  ])('with conditions %j it is served: %s', (conditions, expected) => {
    expect(isEstablished({ ...source, status: { conditions } })).toBe(expected);
  });

  test.each([
    ['v1', 'ConfigMap', false],
    ['apps/v1', 'Deployment', false],
    ['networking.k8s.io/v1', 'Ingress', false],
    ['dr-syncer.io/v1alpha1', 'Replication', false],
    ['gateway.networking.k8s.io/v1', 'HTTPRoute', true],
    ['snapshot.storage.k8s.io/v1', 'VolumeSnapshot', true],
    ['shop.test/v1', 'Widget', true],
  ])('behind %s %s there may be one: %s', (apiVersion, kind, expected) => {
    expect(mayBeCustom(servedType(apiVersion, kind))).toBe(expected);
  });
});

test.each<[KubeObject, string[]]>([
  [
    {
      ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'x' } },
      spec: {
        template: { spec: { containers: [], priorityClassName: 'high', runtimeClassName: 'gvisor' } },
        volumeClaimTemplates: [{ spec: { storageClassName: 'fast' } }],
      },
    },
    ['StorageClass/fast', 'PriorityClass/high', 'RuntimeClass/gvisor'],
  ],
  [
    {
      ...{ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'x' } },
      spec: { template: { spec: { containers: [], priorityClassName: 'system-node-critical' } } },
    },
    [],
  ],
  [
    {
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'x' } },
      spec: { ingressClassName: 'nginx' },
    },
    ['IngressClass/nginx'],
  ],
])('the classes of %j are %j', (object, expected) => {
  expect(classesOf(object).map(({ kind, name }) => `${kind}/${name}`)).toEqual(expected);
});

test('Given a definition that is established, When discovery and handlers learn of it later, Then that is waited for', async () => {
  const type = servedType('shop.test/v1', 'Widget');
  const asked: string[] = [];
  const notThere = new KubeError('not found', { status: 404, reason: 'NotFound' });
  const remote = {
    discovery: {
      refresh: () => Promise.resolve(),
      versionsOf: () => Promise.resolve(asked.push('discovery') < 3 ? [] : [type]),
    },
    client: {
      list: () => (asked.push('list') < 5 ? Promise.reject(notThere) : Promise.resolve({ items: [] })),
    } as unknown as KubeClient,
  };

  await untilServed(remote, type, new AbortController().signal);

  expect(asked.slice(0, 4)).toEqual(['discovery', 'discovery', 'discovery', 'list']);
  expect(asked.at(-1)).toBe('list');
});

test('Given an account that may list the type in its own namespaces only, Then a definition that discovery knows is served', async () => {
  const type = servedType('shop.test/v1', 'Widget');
  const forbidden = new KubeError('forbidden', { status: 403, reason: 'Forbidden' });
  const remote = {
    discovery: { refresh: () => Promise.resolve(), versionsOf: () => Promise.resolve([type]) },
    client: { list: () => Promise.reject(forbidden) } as unknown as KubeClient,
  };

  await expect(untilServed(remote, type, new AbortController().signal)).resolves.toBeUndefined();
});
