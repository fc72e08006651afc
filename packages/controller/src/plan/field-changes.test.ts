import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { fieldChanges } from './field-changes.js';

function configMap(rest: object, metadata: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', ...metadata }, ...rest };
}

describe('Given two states of an object', () => {
  test.each<[string, object, object, object[]]>([
    ['the same', { data: { x: '1' } }, { data: { x: '1' } }, []],
    ['with another order of fields', { data: { x: '1', y: '2' } }, { data: { y: '2', x: '1' } }, []],
    ['with another status', { status: { a: 1 } }, { status: { a: 2 } }, []],
    [
      'with another value',
      { data: { x: '1' } },
      { data: { x: '2' } },
      [{ path: '.data.x', change: 'changed', before: '1', after: '2' }],
    ],
    [
      'with a key that is no word',
      { data: {} },
      { data: { 'a.b/c': '' } },
      [{ path: '.data["a.b/c"]', change: 'added', after: '' }],
    ],
    [
      'with a map that is new',
      {},
      { data: { x: { y: 1 } } },
      [{ path: '.data.x.y', change: 'added', after: 1 }],
    ],
    ['with an empty map that is new', {}, { data: {} }, [{ path: '.data', change: 'added', after: {} }]],
    ['with less', { data: { x: '1' } }, {}, [{ path: '.data.x', change: 'removed', before: '1' }]],
    [
      'with null in place of a map',
      { data: { x: '1' } },
      { data: null },
      [{ path: '.data', change: 'changed', before: { x: '1' }, after: null }],
    ],
    [
      'with one more item in front, by name',
      { list: [{ name: 'b', v: 1 }] },
      {
        list: [
          { name: 'a', v: 0 },
          { name: 'b', v: 2 },
        ],
      },
      [
        { path: '.list[name=b].v', change: 'changed', before: 1, after: 2 },
        { path: '.list[name=a].name', change: 'added', after: 'a' },
        { path: '.list[name=a].v', change: 'added', after: 0 },
      ],
    ],
    [
      'with items that have no name of their own',
      { list: [{ name: 'a' }, { name: 'a' }] },
      { list: [{ name: 'a' }, { name: 'b' }] },
      [{ path: '.list[1].name', change: 'changed', before: 'a', after: 'b' }],
    ],
    [
      'with fewer values',
      { list: [1, 2] },
      { list: [1] },
      [{ path: '.list[1]', change: 'removed', before: 2 }],
    ],
  ])('When one is %s Then that is what is said', (_, before, after, expected) => {
    expect(fieldChanges(configMap(before), configMap(after))).toEqual(expected);
  });

  test('When the server has written its own metadata Then that is no change', () => {
    const left = { uid: '1', resourceVersion: '1', generation: 1, managedFields: [{}], labels: { a: '1' } };
    const right = { uid: '2', resourceVersion: '2', creationTimestamp: 'x', labels: { a: '2' } };
    expect(fieldChanges(configMap({}, left), configMap({}, right))).toEqual([
      { path: '.metadata.labels.a', change: 'changed', before: '1', after: '2' },
    ]);
  });

  test('When it is a Secret Then no value is in the result but those of labels and type', () => {
    const secret = (value: string): KubeObject => ({
      ...{
        apiVersion: 'v1',
        kind: 'Secret',
        type: value,
        data: { password: value },
        stringData: { p: value },
      },
      metadata: { name: 's', labels: { v: value }, annotations: { copy: value } },
      more: { [value]: 'x' },
    });

    const changes = fieldChanges(secret('old'), secret('new'));

    expect(changes).toEqual([
      { path: '.data.password', change: 'changed', hidden: true },
      { path: '.metadata.annotations.copy', change: 'changed', hidden: true },
      { path: '.metadata.labels.v', change: 'changed', before: 'old', after: 'new' },
      { path: '.more.new', change: 'added', hidden: true },
      { path: '.more.old', change: 'removed', hidden: true },
      { path: '.stringData.p', change: 'changed', hidden: true },
      { path: '.type', change: 'changed', before: 'old', after: 'new' },
    ]);
  });

  test('When a custom kind is called Secret Then it is none', () => {
    const custom = (v: string): KubeObject => ({
      ...{ apiVersion: 'x.test/v1', kind: 'Secret', metadata: { name: 's' }, data: { v } },
    });
    expect(fieldChanges(custom('1'), custom('2'))).toMatchObject([{ before: '1', after: '2' }]);
  });
});
