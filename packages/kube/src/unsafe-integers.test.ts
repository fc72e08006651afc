import { expect, test } from '@jest/globals';
import { unsafeIntegers } from './unsafe-integers.js';

test.each<[string, string[]]>([
  ['{"spec":{"startNanos":1700000000000000001,"n":9007199254740991}}', ['spec.startNanos']],
  ['{"a":[1,{"b":-9007199254740993}],"c":1e300}', ['a[1].b']],
  ['{"a":"1700000000000000001","b":0.1,"c":null,"d":true}', []],
  ['5', []],
])('unsafeIntegers of %s', (json, expected) => {
  expect(unsafeIntegers(JSON.parse(json))).toEqual(expected);
});

test('unsafeIntegers names eight at most', () => {
  expect(unsafeIntegers({ a: Array.from({ length: 1000 }, () => 2 ** 60) })).toHaveLength(8);
});
