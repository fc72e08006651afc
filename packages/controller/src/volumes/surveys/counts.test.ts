import { describe, expect, test } from '@jest/globals';

import { countDifferences } from './counts.js';

const source = { files: 100, directories: 10, links: 5, bytes: 1_000 };
const still = { changed: 0, removed: 0 };

describe('Given the numbers of a source and its copy', () => {
  test('When they are the same, then there is no difference', () => {
    expect(countDifferences(source, source, still)).toEqual([]);
  });

  test.each([
    [{ ...source, files: 99 }, '99 files of 100'],
    [{ ...source, directories: 11 }, '11 directories of 10'],
    [{ ...source, links: 0 }, '0 links of 5'],
    [{ ...source, bytes: 999 }, '999 bytes of 1000'],
  ])('When one of them differs, then it is named', (copy, text) => {
    expect(countDifferences(source, copy, still)).toEqual([text]);
  });

  test('When the source was written to, then so many may differ, and no more', () => {
    const copy = { files: 97, directories: 10, links: 5, bytes: 900 };
    expect(countDifferences(source, copy, { changed: 2, removed: 1 })).toEqual([]);
    expect(countDifferences(source, copy, { changed: 2, removed: 0 })).toEqual(['97 files of 100']);
  });
});
