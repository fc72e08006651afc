import { expect, test } from '@jest/globals';

import { isOlder } from './resource-version.js';

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
