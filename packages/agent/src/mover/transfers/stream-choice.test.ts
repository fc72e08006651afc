import { describe, expect, test } from '@jest/globals';

import { chooseStreams, type Measured } from './stream-choice.js';

describe('Given how fast a transfer was with so many streams', () => {
  test.each<[string, [number, number][], number, ReturnType<typeof chooseStreams>]>([
    ['nothing is known', [], 4, { streams: 1, settled: false }],
    ['there may be one only', [], 1, { streams: 1, settled: true }],
    ['one was measured', [[1, 100]], 4, { streams: 2, settled: false }],
    [
      'two are twice as fast',
      [
        [1, 100],
        [2, 200],
      ],
      4,
      { streams: 4, settled: false },
    ],
    [
      'two are a little faster',
      [
        [1, 100],
        [2, 120],
      ],
      4,
      { streams: 1, settled: true },
    ],
    [
      'two are just worth it',
      [
        [1, 100],
        [2, 130],
      ],
      4,
      { streams: 4, settled: false },
    ],
    [
      'two are slower',
      [
        [1, 100],
        [2, 60],
      ],
      4,
      { streams: 1, settled: true },
    ],
    [
      'two are the most there may be',
      [
        [1, 100],
        [2, 200],
      ],
      2,
      { streams: 2, settled: true },
    ],
    [
      'four bring nothing over two',
      [
        [1, 100],
        [2, 190],
        [4, 200],
      ],
      8,
      { streams: 2, settled: true },
    ],
    [
      'all that may be bring something',
      [
        [1, 100],
        [2, 190],
        [4, 350],
      ],
      4,
      { streams: 4, settled: true },
    ],
    [
      'the next step is a short one',
      [
        [1, 100],
        [2, 200],
        [3, 240],
      ],
      3,
      { streams: 3, settled: true },
    ],
    [
      'nothing moved',
      [
        [1, 0],
        [2, 0],
      ],
      4,
      { streams: 4, settled: false },
    ],
  ])('When %s Then the next step follows from it', (_name, measured, most, choice) => {
    const all: Measured[] = measured.map(([streams, perSecond]) => ({ streams, perSecond }));
    expect(chooseStreams(all, most)).toEqual(choice);
  });
});
