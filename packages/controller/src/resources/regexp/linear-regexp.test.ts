import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { expand, LinearRegExp } from './linear-regexp.js';

describe('Given a pattern', () => {
  test.each([
    ['abc', 'xabcx', ['abc']],
    ['^a+$', 'aaa', ['aaa']],
    ['a|ab', 'ab', ['a']],
    ['(a|ab)(c|bcd)', 'abcd', ['abcd', 'a', 'bcd']],
    ['(?:x)(y)?', 'x', ['x', undefined]],
    ['(?P<name>[a-z]+)-(?<number>\\d{1,3})', 'web-42', ['web-42', 'web', '42']],
    ['a*?b', 'aab', ['aab']],
    ['a??', 'a', ['']],
    ['[^.]+', 'www.example', ['www']],
    ['[]a]+', ']a]', [']a]']],
    ['[a-]+', 'a-a', ['a-a']],
    ['[\\w.-]+', 'a_b.c-d', ['a_b.c-d']],
    ['(?i)SHOP', 'shop', ['shop']],
    ['(?i)[^a]', 'Ab', ['b']],
    ['\\bshop\\b', 'a shop b', ['shop']],
    ['\\Ashop\\z', 'shop', ['shop']],
    ['\\x41\\x{1F600}', 'A😀', ['A😀']],
    ['.', '😀', ['😀']],
    ['a{2,3}', 'aaaa', ['aaa']],
    ['a{2,}', 'aaaa', ['aaaa']],
    ['a{2}', 'aaaa', ['aa']],
    ['a{', 'a{', ['a{']],
    ['(a*)*', 'aa', ['aa', 'aa']],
    ['', 'x', ['']],
    ['x|', 'y', ['']],
  ])('%s finds in %j: %j', (pattern, text, groups) => {
    expect(new LinearRegExp(pattern).exec(text)?.groups).toEqual(groups);
  });

  test.each([
    ['abc', 'abd'],
    ['^b', 'ab'],
    ['a$', 'ab'],
    ['\\bb', 'ab'],
    ['.', '\n'],
    ['[^a]', 'a'],
    ['\\D', '7'],
  ])('%s finds nothing in %j', (pattern, text) => {
    expect(new LinearRegExp(pattern).exec(text)).toBeUndefined();
  });

  test.each([
    ['a(', /"\(" without "\)"/],
    ['a)', /"\)" without "\("/],
    ['*a', /without anything to repeat/],
    ['a**', /repetition of a repetition/],
    ['a+{2}', /repetition of a repetition/],
    ['^*', /matches no character/],
    ['[a', /ends too early/],
    ['[z-a]', /from a lower/],
    ['[\\d-z]x[a-\\d]', /from a lower/],
    ['\\', /ends too early/],
    ['(a)\\1', /no references/],
    ['(?=a)', /no looking/],
    ['(?<!a)', /no looking/],
    ['(?#a)', /only \(\?:/],
    ['\\pL', /\\p is not known/],
    ['[[:alpha:]]', /is not known/],
    ['\\xZZ', /two digits/],
    ['a{2,1}', /the lower one first/],
    ['a{1001}', /counts go from/],
    ['(a{100}){100}', /too large/],
    ['('.repeat(60), /more than 50 groups/],
    ['a'.repeat(1025), /longer than/],
  ])('%j is refused: %s', (pattern, message) => {
    expect(() => new LinearRegExp(pattern)).toThrow(message);
  });

  test('only a match of the whole text counts when the whole is asked for', () => {
    const regexp = new LinearRegExp('a|ab');
    expect(regexp.matchAll('ab')?.groups).toEqual(['ab']);
    expect(regexp.matchAll('abc')).toBeUndefined();
    expect(regexp.matchAll('xa')).toBeUndefined();
  });

  test('groups are put into a template', () => {
    const match = new LinearRegExp('(.+)\\.(com)(x)?').matchAll('shop.com')!;
    expect(expand('$1.dr.$2$3 $0 $$1 $9', match)).toBe('shop.dr.com shop.com $1 ');
  });

  test.each([
    ['(a+)+$', `${'a'.repeat(5000)}b`],
    ['(a|a)*$', `${'a'.repeat(5000)}b`],
    ['(.*)(.*)(.*)(.*)(.*)x', 'a'.repeat(5000)],
    ['(?:a?){200}a{200}', 'a'.repeat(200)],
  ])('%s, which takes JavaScript for ever, is answered', (pattern, text) => {
    const begun = performance.now();
    new LinearRegExp(pattern).exec(text);
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  test('it finds what JavaScript finds', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', 'ab');
    const quantified = fc
      .tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{1,2}', '*?', '+?', '??'))
      .map((parts) => parts.join(''));
    const sequence = fc.array(quantified, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''));
    // Not repeated: JavaScript alone takes no empty repetition of a group.
    const group = fc.tuple(sequence, sequence).map(([a, b]) => `(${a}|${b})`);
    const pattern = fc
      .array(fc.oneof(sequence, group), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        pattern,
        fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 }),
        (source, text) => {
          const ours = new LinearRegExp(source).exec(text);
          const theirs = new RegExp(source).exec(text);
          expect(ours && [...ours.groups]).toEqual(theirs === null ? undefined : [...theirs]);
          expect(ours?.start).toBe(theirs?.index);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
