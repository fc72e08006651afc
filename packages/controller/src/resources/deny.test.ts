import { describe, expect, test } from '@jest/globals';

import { deniedObject, type DenyOptions, deniedType } from './deny.js';

const options: DenyOptions = { helmReleases: false, controlled: false, clusterScopedKinds: new Set() };

const object = (
  kind: string,
  rest: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
  apiVersion = 'v1',
) => ({ apiVersion, kind, metadata: { name: 'x', namespace: 'shop', ...metadata }, ...rest });

const controlledBy = (apiVersion: string, kind: string) => ({
  ownerReferences: [{ apiVersion, kind, name: 'web-1', uid: 'u', controller: true }],
});

describe('Given a type', () => {
  test.each([
    ['events', ''],
    ['events', 'events.k8s.io'],
    ['leases', 'coordination.k8s.io'],
    ['pods', ''],
    ['pods', 'metrics.k8s.io'],
    ['controllerrevisions', 'apps'],
    ['volumesnapshots', 'snapshot.storage.k8s.io'],
    ['rolebindings', 'authorization.openshift.io'],
    ['replications', 'dr-syncer.io'],
  ])('%s of "%s" is never copied', (plural, group) => {
    expect(deniedType(plural, group)).toBeDefined();
  });

  test.each([
    ['widgets', 'example.com'],
    ['events', 'example.com'],
    ['pods', 'example.com'],
    ['rolebindings', 'rbac.authorization.k8s.io'],
    ['resourceclaims', 'resource.k8s.io'],
  ])('%s of "%s" is copied', (plural, group) => {
    expect(deniedType(plural, group)).toBeUndefined();
  });
});

describe('Given an object', () => {
  test.each([
    ['the root certificate', object('ConfigMap', {}, { name: 'kube-root-ca.crt' })],
    ['the service certificate of OpenShift', object('ConfigMap', {}, { name: 'openshift-service-ca.crt' })],
    ['the default account', object('ServiceAccount', {}, { name: 'default' })],
    ['an account that OpenShift makes', object('ServiceAccount', {}, { name: 'builder' })],
    [
      'a role binding that OpenShift makes',
      object('RoleBinding', {}, { name: 'system:image-pullers' }, 'rbac.authorization.k8s.io/v1'),
    ],
    ['a token of an account', object('Secret', { type: 'kubernetes.io/service-account-token' })],
    [
      'a pull secret that OpenShift makes',
      object(
        'Secret',
        { type: 'kubernetes.io/dockercfg' },
        { annotations: { 'kubernetes.io/service-account.uid': 'u' } },
      ),
    ],
    ['a release of Helm', object('Secret', { type: 'helm.sh/release.v1' })],
    [
      'Endpoints of a Service, as 1.33 labels them',
      object('Endpoints', {}, { labels: { 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' } }),
    ],
    [
      'Endpoints of a Service, as they were before',
      object('Endpoints', {
        subsets: [{ addresses: [{ ip: '10.0.0.1', targetRef: { kind: 'Pod', name: 'p' } }] }],
      }),
    ],
    [
      'a mirrored EndpointSlice',
      object(
        'EndpointSlice',
        {},
        { labels: { 'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io' } },
        'discovery.k8s.io/v1',
      ),
    ],
    ['what a controller made', object('Secret', {}, controlledBy('example.com/v1', 'Database'))],
    [
      'a ReplicaSet of a Deployment',
      object('ReplicaSet', {}, controlledBy('apps/v1', 'Deployment'), 'apps/v1'),
    ],
  ])('%s is not copied', (_title, denied) => {
    expect(deniedObject(denied, options)).toBeDefined();
  });

  test.each([
    ['a ConfigMap', object('ConfigMap')],
    [
      'a list of addresses of the user',
      object('Endpoints', { subsets: [{ addresses: [{ ip: '192.0.2.1' }] }, {}] }),
    ],
    ['a Secret of the user', object('Secret', { type: 'Opaque' })],
    [
      'what has an owner that does not control it',
      object('ConfigMap', {}, { ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'y' }] }),
    ],
    // Nobody makes its data again.
    [
      'a claim that a controller made',
      object('PersistentVolumeClaim', {}, controlledBy('apps/v1', 'StatefulSet')),
    ],
    [
      'a ConfigMap of that name in another group',
      object('ConfigMap', {}, { name: 'kube-root-ca.crt' }, 'example.com/v1'),
    ],
  ])('%s is copied', (_title, allowed) => {
    expect(deniedObject(allowed, options)).toBeUndefined();
  });

  test('a release of Helm is copied when asked for', () => {
    expect(
      deniedObject(object('Secret', { type: 'helm.sh/release.v1' }), { ...options, helmReleases: true }),
    ).toBeUndefined();
  });

  test.each([
    ['what an operator made is copied when asked for', 'example.com/v1', 'Database', undefined],
    ['what Kubernetes makes is left to it all the same', 'apps/v1', 'Deployment', 'made by Deployment web-1'],
    ['what CronJobs make as well', 'batch/v1', 'CronJob', 'made by CronJob web-1'],
  ])('%s', (_title, apiVersion, kind, expected) => {
    const asked = { ...options, controlled: true };
    expect(deniedObject(object('Secret', {}, controlledBy(apiVersion, kind)), asked)).toBe(expected);
  });

  test('whose controller is not in the namespace is copied: the controller does not come along', () => {
    const secret = object('Secret', {}, controlledBy('example.com/v1', 'ClusterDatabase'));
    const clusterScopedKinds = new Set(['ClusterDatabase.example.com']);
    expect(deniedObject(secret, { ...options, clusterScopedKinds })).toBeUndefined();
  });
});
