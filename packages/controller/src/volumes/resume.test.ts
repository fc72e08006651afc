import type { Survey } from '@dr-syncer/ssh';
import { describe, expect, test } from '@jest/globals';

import { isWorthResuming } from './resume.js';

const MIB = 2 ** 20;

const survey = (largest: number): Survey => ({
  ...{ entries: 50_001, files: 50_000, directories: 1, links: 0, others: 0, bytes: 2 ** 30, largest },
  ...{ digest: '0', complete: true, reliable: true },
});
const changes = (changedLargest: number): Survey => ({
  ...survey(1_000 * MIB),
  base: {
    ...{ changed: 1, changedBytes: changedLargest, changedLargest, removed: 0, named: true },
    ...{ conditions: 'c', copyDigest: 'd', fullAt: '2026-01-01T00:00:00Z' },
  },
});

describe('Given the files that may be sent', () => {
  test.each<[string, Survey | undefined, 'All' | 'Changed', boolean]>([
    ['small ones', survey(8 * MIB - 1), 'All', false],
    ['a large one among them', survey(8 * MIB), 'All', true],
    ['small ones that have changed', changes(MIB), 'Changed', false],
    ['a large one that has changed', changes(8 * MIB), 'Changed', true],
    ['small ones that have changed, and all are compared', changes(MIB), 'All', true],
    ['nobody knows which', undefined, 'All', true],
  ])('When there are %s Then what broke off is gone on with or not', (_name, source, scope, expected) => {
    expect(isWorthResuming(source, scope)).toBe(expected);
  });
});
