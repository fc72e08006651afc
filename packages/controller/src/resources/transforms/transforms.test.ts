import { type TransformRule, transforms as schema } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { typeOf } from '../testing/types.js';
import { compileTransforms } from './transforms.js';

const deployment = (fields: object = {}): KubeObject => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
  metadata: { name: 'web', namespace: 'shop-dr', labels: { tier: 'front' } },
  spec: {
    replicas: 3,
    list: ['a', 'b'],
    template: {
      spec: {
        containers: [
          { name: 'a', image: 'x:1' },
          { name: 'b', image: 'y:1' },
        ],
      },
    },
  },
  ...fields,
});

const secret: KubeObject = {
  ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'shop-dr' } },
  data: { password: 'aHVudGVyMg==' },
};

const rules = (...given: object[]): TransformRule[] =>
  schema.parse(given.map((rule, index) => ({ name: `rule-${index}`, ...rule })));

const context = { sourceNamespace: 'shop', destinationNamespace: 'shop-dr' };
const apply = (object: KubeObject, ...given: object[]) =>
  compileTransforms(rules(...given), context)(object, typeOf(object));

const value = (path: string, expression: string) => ({ values: [{ path, expression }] });

describe('Given a selector', () => {
  const marks = { mergePatch: { metadata: { labels: { marked: 'yes' } } } };
  test.each([
    [{}, true],
    [{ kinds: [] }, true],
    [{ kinds: ['deploy'] }, true],
    [{ kinds: ['Deployment.apps', 'Secret'] }, true],
    [{ kinds: ['*'] }, true],
    [{ kinds: ['Secret'] }, false],
    [{ names: 'web' }, true],
    [{ names: 'w.*' }, true],
    [{ names: '^web$' }, true],
    [{ names: 'we' }, false],
    [{ labelSelector: { matchLabels: { tier: 'front' } } }, true],
    [{ labelSelector: { matchLabels: { tier: 'back' } } }, false],
    [{ kinds: ['deploy'], names: 'web', labelSelector: { matchLabels: { tier: 'back' } } }, false],
  ])('%j selects it: %s', (selector, selected) => {
    const { object, rules: applied } = apply(deployment(), { selector, ...marks });
    expect(object.metadata.labels?.['marked']).toBe(selected ? 'yes' : undefined);
    expect(applied).toEqual(selected ? ['rule-0'] : []);
  });
});

describe('Given a JSON patch', () => {
  test.each([
    [[{ op: 'replace', path: '/spec/replicas', value: 5 }], { replicas: 5 }],
    [[{ op: 'add', path: '/spec/list/-', value: 'c' }], { list: ['a', 'b', 'c'] }],
    [[{ op: 'remove', path: '/spec/list/0' }], { list: ['b'] }],
    [[{ op: 'copy', from: '/spec/replicas', path: '/spec/before' }], { replicas: 3, before: 3 }],
    [[{ op: 'move', from: '/spec/replicas', path: '/spec/moved' }], { moved: 3 }],
    [
      [
        { op: 'test', path: '/spec/replicas', value: 3 },
        { op: 'add', path: '/spec/a~1b', value: null },
      ],
      { 'a/b': null },
    ],
    [[{ op: 'add', path: '/spec/zero', value: 0 }], { zero: 0 }],
  ])('%j is done', (jsonPatch, expected) => {
    expect(apply(deployment(), { jsonPatch }).object['spec']).toMatchObject(expected);
  });

  test('a test that does not hold leaves the object as it is, all of it', () => {
    const jsonPatch = [
      { op: 'replace', path: '/spec/replicas', value: 5 },
      { op: 'test', path: '/spec/replicas', value: 4 },
    ];
    expect(apply(deployment(), { jsonPatch })).toEqual({ object: deployment(), rules: [] });
  });

  test.each([
    [[{ op: 'replace', path: '/spec/none/x', value: 1 }]],
    [[{ op: 'remove', path: '/spec/none' }]],
    [[{ op: 'add', path: '/spec/list/9', value: 1 }]],
    [[{ op: 'add', path: '/spec/replicas/x', value: 1 }]],
  ])('%j fails, naming rule, operation and path', (jsonPatch) => {
    const run = () => apply(deployment(), { mergePatch: {} }, { jsonPatch });
    expect(run).toThrow(/spec\.transforms\[1\] "rule-1": /);
    expect(run).toThrow(/jsonPatch\[0\]|Cannot create property/);
  });
});

describe('Given a merge patch', () => {
  test('fields are set and removed, and nothing else is touched', () => {
    const source = deployment();
    const mergePatch = { spec: { replicas: null, strategy: { type: 'Recreate' } }, extra: [1] };
    const { object } = apply(source, { mergePatch });
    expect(object).toEqual({
      ...source,
      spec: { ...(source['spec'] as object), replicas: undefined, strategy: { type: 'Recreate' } },
      extra: [1],
    });
    expect(source).toEqual(deployment());
  });

  test('a field of the name __proto__ is a field', () => {
    const mergePatch = JSON.parse('{"data": {"__proto__": {"polluted": "yes"}}}') as object;
    apply(secret, { mergePatch });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('Given a value', () => {
  test.each([
    ['/spec/replicas', 'value + 1', { replicas: 4 }],
    ['/spec/replicas', 'object.spec.replicas * 2', { replicas: 6 }],
    ['/spec/host', '"web." + destination.namespace + "." + source.namespace', { host: 'web.shop-dr.shop' }],
    ['/spec/a/b/c', '[1, "x", {"k": 1.5}, true]', { a: { b: { c: [1, 'x', { k: 1.5 }, true] } } }],
    ['/spec/list', 'value.map(x, x + "!")', { list: ['a!', 'b!'] }],
    ['/spec/list/0', 'value.upperAscii()', { list: ['A', 'b'] }],
    ['/spec/list/*', 'value == "a" ? null : dyn(value)', { list: ['b'] }],
    ['/spec/list/-', '"c"', { list: ['a', 'b', 'c'] }],
    ['/spec/has', 'has(object.spec.nothing) ? 1 : 2', { has: 2 }],
    ['/spec/opt', 'object.?spec.?nothing.orValue("d")', { opt: 'd' }],
    ['/spec/m', 'object.metadata.name.matches("^w.b$")', { m: true }],
    ['/spec/r', '"a.b.c".replace(".", "-")', { r: 'a-b-c' }],
  ])('%s: %s', (path, expression, expected) => {
    expect(apply(deployment(), value(path, expression)).object['spec']).toMatchObject(expected);
  });

  test('null removes', () => {
    expect(apply(deployment(), value('/spec/replicas', 'null')).object['spec']).not.toHaveProperty(
      'replicas',
    );
    expect(apply(deployment(), value('/spec/none', 'null')).object).toEqual(deployment());
  });

  test('"*" stands for every item', () => {
    const { object } = apply(
      deployment(),
      value('/spec/template/spec/containers/*/image', '"mirror/" + value'),
    );
    expect(object['spec']).toMatchObject({
      template: { spec: { containers: [{ image: 'mirror/x:1' }, { image: 'mirror/y:1' }] } },
    });
  });

  test('rules see what the one before has made', () => {
    const result = apply(
      deployment(),
      value('/spec/replicas', '10'),
      value('/spec/twice', 'object.spec.replicas * 2'),
    );
    expect(result).toMatchObject({
      object: { spec: { replicas: 10, twice: 20 } },
      rules: ['rule-0', 'rule-1'],
    });
  });

  test.each([
    ['/spec/x', 'object.spec.nothing', /No such key: nothing/],
    ['/spec/x', '1 / 0', /zero/],
    ['/spec/x', 'timestamp("2026-01-01T00:00:00Z")', /no JSON value/],
    ['/spec/x', 'b"abc"', /no JSON value/],
    ['/spec/x', '9223372036854775807', /beyond 2\^53/],
    ['/spec/x', 'object.constructor', /No such key/],
    ['/spec/x', 'object.metadata.name.matches("(")', /"\(" without "\)"/],
    ['/spec/list/7', '1', /has no item 7/],
    ['/spec/replicas/x', '1', /\/spec\/replicas is neither/],
    ['/metadata/labels/tier', '1', /metadata\.labels\["tier"\] is no string/],
    ['/metadata/labels', '"x"', /metadata\.labels is no object/],
  ])('%s: %s fails: %s', (path, expression, message) => {
    const run = () => apply(deployment(), value(path, expression));
    expect(run).toThrow(message);
    expect(run).toThrow(/spec\.transforms\[0\] "rule-0": /);
  });

  test.each([
    'int(object.data.password)',
    'timestamp(object.data.password)',
    'duration(object.data.password)',
    '"x".matches(object.data.password + "(")',
    'object[object.data.password]',
    'object.data.map(k, object.data[k]).map(v, int(v))',
  ])('what is in a Secret is in no error: %s', (expression) => {
    let message = '';
    try {
      apply(secret, value('/data/x', expression));
    } catch (err) {
      message = String(err) + JSON.stringify(err);
    }
    expect(message).toContain('rule-0');
    expect(message).not.toContain('aHVudGVyMg');
  });
});

describe('Given a rule that could take for ever', () => {
  const big = deployment({
    list: Array.from({ length: 3000 }, (_none, index) => index),
    text: `${'a'.repeat(50_000)}b`,
  });
  test.each([
    [
      '/spec/x',
      'object.list.map(a, object.list.map(b, object.list.map(c, a + b + c)))',
      /not done within 100 ms/,
    ],
    [
      '/spec/x',
      `${'cel.bind(a, object.list + object.list, '.repeat(1)}${'cel.bind(a, a + a, '.repeat(20)}size(a)${')'.repeat(21)}`,
      /not done within|too|memory|call|overlap|bind/i,
    ],
  ])('it is ended: %s %s', (path, expression, message) => {
    const begun = performance.now();
    expect(() => apply(big, value(path, expression))).toThrow(message);
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  test('a pattern that JavaScript would never finish is answered', () => {
    const begun = performance.now();
    const { object } = apply(big, value('/spec/x', 'object.text.matches("(a+)+$")'));
    expect(object['spec']).toMatchObject({ x: false });
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  test('it is not tried again and again', () => {
    const transform = compileTransforms(
      rules(value('/spec/x', 'object.list.map(a, object.list.map(b, object.list.map(c, 1)))')),
      context,
    );
    const begun = performance.now();
    for (let attempt = 0; attempt < 200; attempt += 1) expect(() => transform(big, typeOf(big))).toThrow();
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(() => transform(big, typeOf(big))).toThrow(/3 times and is not tried again/);
  });

  test('an expression without loops is bounded by the size of the object', () => {
    const large = deployment({ text: 'x'.repeat(1_400_000) });
    const expression = `size(${Array.from({ length: 100 }, () => 'object.text').join(' + ')})`;
    expect(() => apply(large, value('/spec/x', expression))).toThrow(/too costly for an object of \d+ bytes/);
  });
});

describe('Given a rule of no use', () => {
  test.each<[object, RegExp]>([
    [{}, /give one of/],
    [{ jsonPatch: [{ op: 'remove', path: '/a' }], mergePatch: {} }, /give one of/],
    [{ selector: { names: '(?=x)' }, mergePatch: {} }, /no looking ahead/],
    [{ jsonPatch: [{ op: 'add', path: '/spec/x' }] }, /jsonPatch\[0\]: "add" needs a value/],
    [{ jsonPatch: [{ op: 'move', path: '/spec/x' }] }, /jsonPatch\[0\]: "move" needs from/],
    [
      { jsonPatch: [{ op: 'replace', path: '/metadata/name', value: 'x' }] },
      /"\/metadata\/name" can't be changed/,
    ],
    [{ jsonPatch: [{ op: 'remove', path: '/metadata' }] }, /can't be changed/],
    [{ jsonPatch: [{ op: 'move', from: '/kind', path: '/spec/x' }] }, /"\/kind" can't be changed/],
    [{ jsonPatch: [{ op: 'add', path: '/spec/__proto__/x', value: 1 }] }, /can't be a step/],
    [{ jsonPatch: [{ op: 'add', path: '/spec/a~2', value: 1 }] }, /"~" is written/],
    [{ mergePatch: { kind: 'X' } }, /"\/kind" can't be changed/],
    [{ mergePatch: { metadata: { namespace: 'X' } } }, /"\/metadata\/namespace" can't be changed/],
    [{ mergePatch: { metadata: null } }, /is no object/],
    [{ mergePatch: { status: {} } }, /"\/status" can't be changed/],
    [value('/status/x', '1'), /"\/status\/x" can't be changed/],
    [value('/spec/x', 'object.'), /values\[0\]: /],
    [value('/spec/x', 'unknown + 1'), /unknown/i],
    [value('/spec/x', '1 + "x"'), /values\[0\]: /],
    [value('/spec/x', `${'('.repeat(200)}1${')'.repeat(200)}`), /values\[0\]: /],
  ])('%j is refused, naming it', (rule, message) => {
    expect(() => apply(deployment(), { mergePatch: {} }, rule)).toThrow(message);
    expect(() => apply(deployment(), { mergePatch: {} }, rule)).toThrow(/^spec\.transforms\[1\] "rule-1": /);
  });

  test('two rules of one name are refused', () => {
    const twice = [
      { name: 'a', mergePatch: {} },
      { name: 'a', mergePatch: {} },
    ];
    expect(() => apply(deployment(), ...twice)).toThrow(/spec\.transforms\[1\] "a": another rule/);
  });
});
