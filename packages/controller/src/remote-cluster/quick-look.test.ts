import { expect, test } from '@jest/globals';

import { isQuick, type WholeLook } from './quick-look.js';

const MINUTE = 60_000;
const last: WholeLook = { basis: 'as it was', nodes: ['n1'], until: 15 * MINUTE, at: 0 };

test.each<[string, WholeLook | undefined, string, number, boolean]>([
  ['it is time, and nothing has changed', last, 'as it was', 4.1 * MINUTE, true],
  ['there was no whole look, or something was wrong', undefined, 'as it was', 5 * MINUTE, false],
  ['the object or a Secret has changed', last, 'another', 5 * MINUTE, false],
  ['somebody asked for it', last, 'as it was', MINUTE, false],
  ['something is due', { ...last, until: 4 * MINUTE }, 'as it was', 5 * MINUTE, false],
  ['the last whole one was long ago', { ...last, at: 10 * MINUTE }, 'as it was', 15 * MINUTE, false],
])('When %s Then a look is quick or not', (_what, before, basis, now, expected) => {
  expect(isQuick(before, basis, now)).toBe(expected);
});
