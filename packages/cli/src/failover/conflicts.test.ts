import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { conflictsOf, fieldNames } from './conflicts.js';

const SINCE = '2026-06-01T12:00:00.500Z';
const [BEFORE, AT, AFTER] = ['2026-06-01T11:59:59Z', '2026-06-01T12:00:00Z', '2026-06-01T12:30:00Z'];

const ours = (managedFields: object[], name = 'x'): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap' },
  metadata: {
    name,
    creationTimestamp: BEFORE,
    labels: { 'dr-syncer.io/managed-by': 'dr-syncer' },
    managedFields,
  },
});
const entry = (manager: string, time: string, more: object = {}) => ({
  ...{ manager, time, operation: 'Update', fieldsV1: { 'f:data': { 'f:colour': {} } } },
  ...more,
});

describe('Given the objects of a standby that was active', () => {
  test.each<[string, object[], string | undefined]>([
    ['nobody', [], undefined],
    ['a person', [entry('kubectl-edit', AFTER)], 'data.colour by kubectl-edit'],
    ['a person in the second of the failover', [entry('kubectl-edit', AT)], 'data.colour by kubectl-edit'],
    ['a person, before the failover', [entry('kubectl-edit', BEFORE)], undefined],
    ['the sync', [entry('dr-syncer', AFTER)], undefined],
    ['the failover', [entry('dr-syncer-failover', AFTER)], undefined],
    ['Kubernetes', [entry('kube-controller-manager', AFTER)], undefined],
    ['an operator, in the status', [entry('operator', AFTER, { subresource: 'status' })], undefined],
    [
      'kubectl scale',
      [entry('kubectl', AFTER, { subresource: 'scale', fieldsV1: { 'f:spec': { 'f:replicas': {} } } })],
      'spec.replicas by kubectl',
    ],
  ])('When %s has changed one Then it is told so', (_who, managedFields, detail) => {
    const object = ours(managedFields);
    const expected = detail === undefined ? [] : [{ kind: 'ConfigMap', name: 'x', what: 'changed', detail }];
    expect(conflictsOf([object], [object], SINCE)).toEqual(expected);
  });

  test('When one was made or removed there Then it is named', () => {
    const made = (name: string, more: object = {}): KubeObject => ({
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, creationTimestamp: AFTER, ...more } },
    });
    const present = [
      made('new'),
      made('owned', { ownerReferences: [{ kind: 'X' }] }),
      made('old', { creationTimestamp: BEFORE }),
      made('dr-syncer-last-sync'),
    ];
    expect(conflictsOf([ours([], 'gone')], present, SINCE).map(({ name, what }) => [name, what])).toEqual([
      ['new', 'new'],
      ['gone', 'missing'],
    ]);
  });

  test('When fields are named Then lists are too, and no more than a few', () => {
    expect(
      fieldNames({
        'f:spec': {
          'f:containers': { '.': {}, 'k:{"name":"web"}': { '.': {}, 'f:image': {} } },
          'f:finalizers': { 'v:"a"': {} },
        },
      }),
    ).toBe('spec.containers[{"name":"web"}].image, spec.finalizers["a"]');
    const many = Object.fromEntries(Array.from({ length: 8 }, (_none, index) => [`f:k${index}`, {}]));
    expect(fieldNames(many)).toBe('k0, k1, k2, k3, k4 and 3 more');
  });
});
