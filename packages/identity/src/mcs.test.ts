import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalLevel, sameLevel } from './mcs.js';

describe('canonicalLevel', () => {
  test.each([
    ['s0', 's0'],
    ['s0:c26,c20', 's0:c20,c26'],
    ['s0:c1,c0', 's0:c0,c1'],
    ['s0:c0,c1,c2', 's0:c0.c2'],
    ['s0:c0.c1', 's0:c0,c1'],
    ['s0:c5,c5,c5', 's0:c5'],
    ['s0:c9,c0.c3,c4', 's0:c0.c4,c9'],
    ['s0:c01', 's0:c1'],
    ['s0-s0', 's0'],
    ['s0-s0:c1023.c1023', 's0-s0:c1023'],
    ['s0-s0:c0.c1023', 's0-s0:c0.c1023'],
    ['s0:c1-s15:c2,c1', 's0:c1-s15:c1,c2'],
  ])('Given %s, Then the kernel would write %s', (text, canonical) => {
    expect(canonicalLevel(text)).toBe(canonical);
  });

  test.each([
    '',
    'foo',
    's',
    's16',
    's0:',
    's0:c',
    's0:c1024',
    's0:c3.c1',
    's0: c1',
    's0:c1,',
    's0-',
    's1-s0',
    's0:c1-s0:c2',
    's0-s0-s0',
    's0:c1 ',
    'S0',
  ])('Given %j, Then it is no level', (text) => {
    expect(canonicalLevel(text)).toBeNull();
  });

  test('Given categories in any order and number, Then the spelling is the same, and its own canonical form', () => {
    const categories = fc.array(fc.integer({ min: 0, max: 1023 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(categories, categories, (list, more) => {
        const text = `s0:${list.map((c) => `c${c}`).join(',')}`;
        const other = `s0:${[...list]
          .reverse()
          .concat(list)
          .map((c) => `c${c}`)
          .join(',')}`;
        const canonical = canonicalLevel(text) ?? '';
        expect(canonicalLevel(canonical)).toBe(canonical);
        expect(sameLevel(text, other)).toBe(true);
        const same = new Set(list).size === new Set([...list, ...more]).size;
        expect(sameLevel(text, `${text},${more.map((c) => `c${c}`).join(',')}`)).toBe(same);
      }),
    );
  });

  test('Given two texts that are no levels, Then they are not the same level', () => {
    expect(sameLevel('foo', 'foo')).toBe(false);
  });
});
