import { describe, expect, test } from '@jest/globals';

import { DifferenceLog } from './differences.js';

function logOf(text: string, size = text.length): DifferenceLog {
  const log = new DifferenceLog();
  for (let at = 0; at < text.length; at += size) log.push(Buffer.from(text.slice(at, at + size), 'latin1'));
  return log;
}

describe('Given what rsync says of two trees', () => {
  test.each<[string, string]>([
    ['<fc........ changed', 'changed'],
    ['<f+++++++++ missing', 'missing'],
    ['cd+++++++++ directory/', 'directory'],
    ['cLc........ link', 'link'],
    ['hf+++++++++ linked', 'linked'],
    ['*deleting   extra', 'extra'],
    ['<fc........ sp ace', 'sp ace'],
    ['<fc........ new\\#012line', 'new\nline'],
    ['<fc........ back\\#134#012', 'back\\#012'],
  ])('When it says %s, then that path differs', (line, path) => {
    expect(logOf(`${line}\n`).result).toEqual({ count: 1, attributes: 0, paths: [path] });
  });

  test('When attributes alone differ, then they are counted apart; other output is none', () => {
    const text =
      '.f...p..... mode\n.d..t...... ./\n(Client) Protocol versions: x\n\r  0 0% 0\nNumber of files: 3\n';
    expect(logOf(text).result).toEqual({ count: 0, attributes: 2, paths: [] });
  });

  test('When it comes in pieces, then it is the same', () => {
    const text = '<fc........ one\n*deleting   two\n';
    for (let size = 1; size < text.length; size += 1) {
      expect(logOf(text, size).result.paths).toEqual(['one', 'two']);
    }
  });

  test('When very much differs, then all is counted and not all is kept', () => {
    const { count, paths } = logOf('<fc........ x\n'.repeat(3_000)).result;
    expect([count, paths.length]).toEqual([3_000, 1_000]);
  });
});
