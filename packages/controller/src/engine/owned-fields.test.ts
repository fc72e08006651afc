import { describe, expect, test } from '@jest/globals';

import { ownedFields, ownsAll, wasThereBefore } from './owned-fields.js';

const entry = (fieldsV1: unknown, fields: Record<string, unknown> = {}) => ({
  ...{ manager: 'dr-syncer', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1 },
  ...fields,
});

describe('Given managedFields', () => {
  test('ours is the entry of our last apply, of the object itself', () => {
    const list = [
      entry({ a: {} }, { operation: 'Update' }),
      entry({ b: {} }, { subresource: 'status' }),
      entry({ c: {} }, { manager: 'kubectl' }),
      entry({ d: {} }),
    ];

    expect(ownedFields(list)).toBe('{"d":{}}');
    expect(ownedFields([])).toBe('');
    expect(ownedFields(undefined)).toBe('');
  });
});

describe('Given an object that was applied once', () => {
  const ours = entry({}, { time: '2026-01-01T00:00:05Z' });
  const other = (time: string, fields = {}) =>
    entry({}, { manager: 'other', operation: 'Update', time, ...fields });

  test.each([
    ['nobody else', [ours], false],
    ['somebody who wrote before', [other('2026-01-01T00:00:04Z'), ours], true],
    ['somebody who wrote in the same second', [ours, other('2026-01-01T00:00:05Z')], true],
    ['somebody who wrote afterwards', [ours, other('2026-01-01T00:00:06Z')], false],
    [
      'a controller that wrote the status',
      [ours, other('2026-01-01T00:00:04Z', { subresource: 'status' })],
      false,
    ],
  ])('with %s, it was there before: %s', (_title, list, expected) => {
    expect(wasThereBefore(list)).toBe(expected);
  });
});

/** As kube-apiserver 1.36 wrote it for a Deployment. */
const deployment = {
  'f:metadata': { 'f:labels': { 'f:app': {} } },
  'f:spec': {
    'f:replicas': {},
    'f:selector': {},
    'f:template': {
      'f:metadata': { 'f:labels': { 'f:app': {} } },
      'f:spec': {
        'f:containers': {
          'k:{"name":"web"}': {
            ...{ '.': {}, 'f:args': {}, 'f:image': {}, 'f:name': {} },
            'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
          },
        },
      },
    },
  },
};
const wanted = (image: Record<string, unknown> = { image: 'web:1' }) => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
  metadata: { name: 'web', namespace: 'n', labels: { app: 'web' } },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [{ name: 'web', args: ['-v'], ports: [{ containerPort: 80 }], ...image }],
        volumes: [],
      },
    },
  },
});
/** As servers do, a parent that has nothing left goes too. */
const without = (path: readonly string[]): string => {
  type Fields = Record<string, unknown>;
  const pruned = (fields: Fields, [key = '', ...rest]: readonly string[]): Fields => {
    const { [key]: child, ...others } = fields;
    const left: Fields = rest.length === 0 ? {} : pruned(child as Fields, rest);
    return Object.keys(left).length === 0 ? others : { ...others, [key]: left };
  };
  return JSON.stringify(pruned(deployment, path));
};
const container = ['f:spec', 'f:template', 'f:spec', 'f:containers', 'k:{"name":"web"}'];

describe('Given what we want, and what we own', () => {
  test('lists by key, lists and maps that are owned whole, defaulted keys and empty lists are all covered', () => {
    expect(ownsAll(wanted(), JSON.stringify(deployment))).toBe(true);
  });

  test.each([
    ['a number', ['f:spec', 'f:replicas']],
    ['a label', ['f:metadata', 'f:labels', 'f:app']],
    ['a field of a list item', [...container, 'f:image']],
    ['a whole list item', container],
    [
      'an item deeper in',
      [...container, 'f:ports', 'k:{"containerPort":80,"protocol":"TCP"}', 'f:containerPort'],
    ],
  ])('%s that somebody else took is missed', (_title, path) => {
    expect(ownsAll(wanted(), without(path))).toBe(false);
  });

  test('a set is owned by its values', () => {
    const fields = JSON.stringify({ 'f:metadata': {}, 'f:finalizers': { 'v:"a"': {}, 'v:"b"': {} } });

    expect(ownsAll({ finalizers: ['a', 'b'], metadata: {} }, fields)).toBe(true);
    expect(ownsAll({ finalizers: ['a', 'c'], metadata: {} }, fields)).toBe(false);
  });

  test('who owns nothing does not own what is wanted', () => {
    expect(ownsAll(wanted(), '')).toBe(false);
  });
});
