import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Condition, findCondition, isTrue, setCondition, shortened } from './conditions.js';
import { mergePatch } from './merge-patch.js';

const early = new Date('2026-01-01T00:00:00.500Z');
const late = new Date('2026-01-02T00:00:00Z');
const ready = { type: 'Ready', status: 'True', reason: 'AllWell', message: 'fine' } as const;

describe('setCondition', () => {
  test('Given none, Then it is added, with the time in whole seconds', () => {
    expect(setCondition(undefined, ready, 3, early)).toEqual([
      { ...ready, lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 3 },
    ]);
  });

  test('Given the same status, Then the time stays and the rest changes', () => {
    const before = setCondition(undefined, ready, 3, early);
    const after = setCondition(before, { ...ready, reason: 'Other', message: 'better' }, 4, late);
    expect(after).toEqual([
      {
        ...ready,
        reason: 'Other',
        message: 'better',
        lastTransitionTime: '2026-01-01T00:00:00Z',
        observedGeneration: 4,
      },
    ]);
    expect(before[0]?.message).toBe('fine');
  });

  test('Given another status, Then the time changes and the place stays', () => {
    const other = { ...ready, type: 'Other' };
    const before = setCondition(setCondition(undefined, ready, 1, early), other, 1, early);
    const after = setCondition(before, { ...ready, status: 'False' }, 2, late);
    expect(after.map(({ type }) => type)).toEqual(['Ready', 'Other']);
    expect(findCondition(after, 'Ready')?.lastTransitionTime).toBe('2026-01-02T00:00:00Z');
    expect([isTrue(after, 'Ready'), isTrue(after, 'Other'), isTrue(undefined, 'Ready')]).toEqual([
      false,
      true,
      false,
    ]);
  });

  test('Given a long message, Then it is cut', () => {
    const [condition] = setCondition(undefined, { ...ready, message: '😀'.repeat(5000) }, undefined, early);
    expect(condition?.message).toHaveLength(1023);
    expect(condition?.message).not.toMatch(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])/);
    expect(condition).not.toHaveProperty('observedGeneration');
  });

  test('Given the same again, Then nothing changes, so that nothing needs to be written', () => {
    const before = setCondition(undefined, ready, 1, early);
    expect(setCondition(before, ready, 1, late)).toEqual(before satisfies Condition[]);
  });
});

test.each([
  ['abc', 3, 'abc'],
  ['abcdef', 5, 'ab...'],
  ['a😀😀', 4, 'a...'],
  ['a😀bcd', 5, 'a...'],
])('shortened %s to %d is %s', (text, max, expected) => {
  expect(shortened(text, max)).toBe(expected);
});

describe('mergePatch', () => {
  test.each<[string, unknown, Record<string, unknown>, unknown]>([
    ['nothing', { a: 1, b: { c: [1] } }, { a: 1, b: { c: [1] } }, undefined],
    ['a value', { a: 1, b: 2 }, { a: 1, b: 3 }, { b: 3 }],
    ['something new', undefined, { a: 1 }, { a: 1 }],
    ['something gone', { a: 1, b: { c: 1, d: 2 } }, { b: { c: 1 } }, { a: null, b: { d: null } }],
    ['a list', { a: [1, 2] }, { a: [1] }, { a: [1] }],
    ['the order of keys', { a: 1, b: 2 }, { b: 2, a: 1 }, undefined],
    ['undefined', { a: undefined }, { b: undefined }, undefined],
    ['an object for a value', { a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
    ['a value for an object', { a: { b: 1 } }, { a: 1 }, { a: 1 }],
    ['an emptied object', { a: { b: 1 } }, { a: {} }, { a: { b: null } }],
  ])('Given a difference of %s', (_name, from, to, expected) => {
    expect(mergePatch(from, to)).toEqual(expected);
  });

  /** RFC 7386 section 2, as written there. */
  function apply(target: unknown, patch: unknown): unknown {
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
    const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
    const result: Record<string, unknown> = isObject ? { ...target } : {};
    for (const [key, value] of Object.entries(patch)) {
      if (value === null) Reflect.deleteProperty(result, key);
      else result[key] = apply(result[key], value);
    }
    return result;
  }

  test('Given any two documents without null, Then applying the patch gives the second', () => {
    const { tree } = fc.letrec((tie) => ({
      tree: fc.dictionary(
        fc.constantFrom('a', 'b', 'c'),
        fc.oneof({ depthSize: 'small' }, fc.integer(), fc.array(fc.integer()), tie('tree')),
      ),
    }));
    fc.assert(
      fc.property(tree, tree, (from, to) => {
        const patch = mergePatch(from, to);
        expect(apply(from, patch ?? {})).toEqual(to);
        if (patch === undefined) expect(from).toEqual(to);
      }),
    );
  });
});
