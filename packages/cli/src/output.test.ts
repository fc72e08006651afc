import { describe, expect, test } from '@jest/globals';

import { table } from './output.js';

describe('Given rows for people', () => {
  test('When they are written Then columns line up and no line ends in blanks', () => {
    expect(
      table([
        ['NAME', 'STATE', 'WHY'],
        ['shop', 'Completed', ''],
      ]),
    ).toBe('NAME   STATE       WHY\nshop   Completed\n');
  });

  test('When a cell has what moves a cursor Then it is left out', () => {
    expect(table([['a\u001b[2Jb\nc', 'x\u009by']])).toBe('a [2Jb c   x y\n');
  });
});
