import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { compileExclusion, type ExclusionSpec } from './exclusion.js';
import { typeOf } from './testing/types.js';

const configMap = (name: string, labels?: Record<string, string>, metadata = {}): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap' },
  metadata: { name, namespace: 'shop', ...(labels && { labels }), ...metadata },
});

const why = (object: KubeObject, spec: Partial<ExclusionSpec> = {}) =>
  compileExclusion({ includeHelmReleases: false, ...spec }, () => new Set())(object, typeOf(object));

describe('Given an object', () => {
  test.each<[string, KubeObject, Partial<ExclusionSpec>, RegExp | undefined]>([
    [
      'with the label ignore',
      configMap('a', { 'dr-syncer.io/ignore': 'true' }),
      {},
      /labelled dr-syncer.io\/ignore/,
    ],
    ['with another value in it', configMap('a', { 'dr-syncer.io/ignore': 'false' }), {}, undefined],
    [
      'that is being deleted',
      configMap('a', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      {},
      /being deleted/,
    ],
    ['named by kind', configMap('a'), { excludeResources: [{ kind: 'cm' }] }, /excludeResources/],
    [
      'named by kind and name',
      configMap('a'),
      { excludeResources: [{ kind: 'ConfigMap', name: 'a' }] },
      /excludeRes/,
    ],
    ['of another name', configMap('b'), { excludeResources: [{ kind: 'configmaps', name: 'a' }] }, undefined],
    ['of another kind', configMap('a'), { excludeResources: [{ kind: 'Secret', name: 'a' }] }, undefined],
    [
      'with an excluded label',
      configMap('a', { tier: 'x' }),
      { excludeLabels: [{ key: 'tier' }] },
      /label tier/,
    ],
    [
      'and its value',
      configMap('a', { tier: 'x' }),
      { excludeLabels: [{ key: 'tier', value: 'x' }] },
      /label tier/,
    ],
    [
      'with another value',
      configMap('a', { tier: 'y' }),
      { excludeLabels: [{ key: 'tier', value: 'x' }] },
      undefined,
    ],
    ['without labels', configMap('a'), { excludeLabels: [{ key: 'tier' }] }, undefined],
    [
      'that is selected',
      configMap('a', { app: 'x' }),
      { labelSelector: { matchLabels: { app: 'x' } } },
      undefined,
    ],
    [
      'that is not selected',
      configMap('a', { app: 'y' }),
      { labelSelector: { matchLabels: { app: 'x' } } },
      /labelSel/,
    ],
    [
      'whose label is inherited by every object',
      configMap('a', {}),
      { labelSelector: { matchExpressions: [{ key: 'toString', operator: 'Exists' }] } },
      /labelSel/,
    ],
  ])('%s', (_title, object, spec, expected) => {
    if (expected === undefined) expect(why(object, spec)).toBeUndefined();
    else expect(why(object, spec)).toMatch(expected);
  });

  test.each([
    ['In', ['a', 'b'], { x: 'a' }, true],
    ['In', ['a', 'b'], { x: 'c' }, false],
    ['In', ['a'], {}, false],
    ['NotIn', ['a'], { x: 'a' }, false],
    ['NotIn', ['a'], { x: 'b' }, true],
    ['NotIn', ['a'], {}, true],
    ['Exists', undefined, { x: '' }, true],
    ['Exists', undefined, { y: '' }, false],
    ['DoesNotExist', undefined, { y: '' }, true],
    ['DoesNotExist', undefined, { x: '' }, false],
  ] as const)('the selector x %s %j on %j selects: %s', (operator, values, labels, selected) => {
    const matchExpressions = [{ key: 'x', operator, values: values && [...values] }];
    expect(why(configMap('a', labels), { labelSelector: { matchExpressions } }) === undefined).toBe(selected);
  });
});
