import type { Survey } from '@dr-syncer/ssh';
import { describe, expect, test } from '@jest/globals';

import { type StreamFacts, streamLimit } from './stream-limit.js';

const GIB = 2 ** 30;
const settings = { most: 4, leastBytes: 4 * GIB };

const survey = (entries: number, bytes: number, largest: number): Survey => ({
  ...{ entries, files: entries - 1, directories: 1, links: 0, others: 0, bytes, largest },
  ...{ digest: '0', complete: true, reliable: true },
});
const nothing = survey(1, 0, 0);
const large = survey(10_001, 100 * GIB, GIB);
const base = {
  ...{ changed: 100, changedBytes: GIB, changedLargest: GIB, removed: 0, named: true },
  ...{ conditions: 'c', copyDigest: 'd', fullAt: '2026-01-01T00:00:00Z' },
};
const facts: StreamFacts = {
  ...{ source: large, copy: nothing, scope: 'All', copyIsKnown: false, hasExclusions: false },
  ...{ relayed: false, wanted: 8, limitBytesPerSecond: Number.POSITIVE_INFINITY },
};

describe('Given what is to be moved of a volume', () => {
  test.each<[string, Partial<StreamFacts>, number]>([
    ['a large one for the first time', {}, 4],
    ['one of which the Replication wants fewer', { wanted: 3 }, 3],
    ['one for which it is off', { wanted: 1 }, 1],
    ['a small one', { source: survey(1_001, GIB, GIB / 8) }, 1],
    ['very many small files', { source: survey(1_000_001, GIB, 4_096) }, 4],
    ['one huge file', { source: survey(2, 500 * GIB, 500 * GIB) }, 1],
    ['one huge file beside small ones', { source: survey(1_001, 510 * GIB, 500 * GIB) }, 1],
    ['two and a half as large as the largest', { source: survey(11, 25 * GIB, 10 * GIB) }, 2],
    ['a copy that has nearly all', { copy: survey(10_001, 99 * GIB, GIB) }, 1],
    ['a copy that has more', { copy: survey(20_001, 200 * GIB, GIB) }, 1],
    ['a little that has changed', { source: { ...large, base }, scope: 'Changed', copyIsKnown: true }, 1],
    [
      'much that has changed',
      {
        source: { ...large, base: { ...base, changedBytes: 40 * GIB } },
        scope: 'Changed',
        copyIsKnown: true,
      },
      4,
    ],
    ['a little changed and a copy that nobody knows', { source: { ...large, base }, copyIsKnown: false }, 4],
    ['nothing to do', { scope: 'None' }, 1],
    ['a source that could not be surveyed', { source: undefined }, 1],
    ['a copy that could not be surveyed', { copy: undefined }, 1],
    ['one that goes through the controller', { relayed: true }, 1],
    ['excluded paths', { hasExclusions: true }, 1],
    ['a limit that one stream reaches', { limitBytesPerSecond: 40 * 2 ** 20 }, 1],
    ['a limit that two streams reach', { limitBytesPerSecond: 70 * 2 ** 20 }, 2],
  ])('When it is %s Then so many streams may send it', (_name, change, streams) => {
    expect(streamLimit({ ...facts, ...change }, settings)).toBe(streams);
  });

  test('When streams are off for all Then there is one', () => {
    expect(streamLimit(facts, { ...settings, most: 1 })).toBe(1);
  });
});
