import { describe, expect, test } from '@jest/globals';

import { deniedObject, deniedType } from './deny.js';

const object = (
  kind: string,
  rest: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'x', namespace: 'shop', ...metadata },
  ...rest,
});

describe('Given a type', () => {
  test.each([
    ['events', ''],
    ['events', 'events.k8s.io'],
    ['leases', 'coordination.k8s.io'],
    ['replications', 'dr-syncer.io'],
  ])('%s of "%s" is never copied', (plural, group) => {
    expect(deniedType(plural, group)).toBeDefined();
  });

  test('one that is not named is copied, whatever its group', () => {
    expect(deniedType('widgets', 'example.com')).toBeUndefined();
    expect(deniedType('events', 'example.com')).toBeUndefined();
  });
});

describe('Given an object', () => {
  const owner = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'u', controller: true }];

  test.each([
    ['the root certificate', object('ConfigMap', {}, { name: 'kube-root-ca.crt' })],
    ['the default account', object('ServiceAccount', {}, { name: 'default' })],
    ['a token of an account', object('Secret', { type: 'kubernetes.io/service-account-token' })],
    ['a pod', object('Pod')],
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
      ),
    ],
    ['what a controller made', object('ReplicaSet', {}, { ownerReferences: owner })],
  ])('%s is not copied', (_title, denied) => {
    expect(deniedObject(denied)).toBeDefined();
  });

  test.each([
    ['a ConfigMap', object('ConfigMap')],
    [
      'a list of addresses of the user',
      object('Endpoints', { subsets: [{ addresses: [{ ip: '192.0.2.1' }] }] }),
    ],
    ['a Secret of the user', object('Secret', { type: 'Opaque' })],
    [
      'what has an owner that does not control it',
      object('ConfigMap', {}, { ownerReferences: [{ kind: 'X', name: 'y' }] }),
    ],
  ])('%s is copied', (_title, allowed) => {
    expect(deniedObject(allowed)).toBeUndefined();
  });
});
