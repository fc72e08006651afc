import { expect, test } from '@jest/globals';

import { duration } from './duration.js';

test.each([
  [0.31, '0.3s'],
  [59.4, '59s'],
  [60, '1m0s'],
  [250, '4m10s'],
  [7300, '2h1m'],
  [183_600, '2d3h'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});
