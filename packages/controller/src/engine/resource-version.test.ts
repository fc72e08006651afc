import { expect, test } from '@jest/globals';

import { hasReached, isOlder } from './resource-version.js';

test.each([
  ['9', '10', true],
  ['10', '9', false],
  ['10', '10', false],
  ['99999999999999999998', '99999999999999999999', true],
  ['a', 'b', false],
  [undefined, '1', false],
  ['0', '1', false],
])('%s is older than %s: %s', (a, b, expected) => {
  expect(isOlder(a, b)).toBe(expected);
});

test.each([
  ['10', '9', true],
  ['10', '10', true],
  ['9', '10', false],
  // Nothing is known of these.
  ['b', 'a', false],
  ['b', 'b', true],
  [undefined, '1', false],
  ['1', undefined, false],
])('%s has reached %s: %s', (a, b, expected) => {
  expect(hasReached(a, b)).toBe(expected);
});
