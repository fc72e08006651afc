import { describe, expect, test } from '@jest/globals';

import { cut, LiveLines, paintFor } from './screen.js';

const screen = { size: () => ({ columns: 20, rows: 4 }) };

describe('Given text to be coloured', () => {
  test.each([
    ['a terminal', screen, {}, '\u001b[31mFailed\u001b[0m'],
    ['no terminal', undefined, {}, 'Failed'],
    ['NO_COLOR', screen, { NO_COLOR: '1' }, 'Failed'],
    ['an empty NO_COLOR, which counts for nothing', screen, { NO_COLOR: '' }, '\u001b[31mFailed\u001b[0m'],
    ['a terminal without colours', screen, { TERM: 'dumb' }, 'Failed'],
  ])('When there is %s Then it is as it should be', (_what, on, env, expected) => {
    expect(paintFor(on, { env })('Failed', 'red')).toBe(expected);
  });

  test('When a coloured line is too long Then what is seen is cut, and the colour still ends', () => {
    expect(cut('\u001b[31mFailed\u001b[0m and so on', 8)).toBe('\u001b[31mFailed\u001b[0m a');
  });
});

describe('Given lines that are shown again and again', () => {
  test('When they change Then the new ones stand in place of the old ones', () => {
    let out = '';
    const live = new LiveLines(screen, (text) => (out += text));

    live.show(['one', 'two']);
    live.show(['three']);
    live.clear();

    expect(out).toBe(
      'one\u001b[K\ntwo\u001b[K\n\u001b[J' + '\u001b[2Fthree\u001b[K\n\u001b[J' + '\u001b[1F\u001b[J',
    );
  });

  test('When there are more than fit Then the rest is counted', () => {
    let out = '';
    new LiveLines(screen, (text) => (out += text)).show(['a', 'b', 'c', 'd', 'e']);

    expect(out).toBe('a\u001b[K\nb\u001b[K\n(3 more)\u001b[K\n\u001b[J');
  });
});
