import type { Survey } from '@dr-syncer/ssh';
import { describe, expect, test } from '@jest/globals';

import { conditionsOf, type ScopeFacts, scopeOf } from './scope.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');

const survey: Survey = {
  ...{ entries: 1_000, files: 990, directories: 10, links: 0, others: 0, bytes: 5_000, largest: 10 },
  ...{ digest: 'copy', complete: true, reliable: true },
};
const base = {
  ...{ changedBytes: 0, changedLargest: 0 },
  ...{ changed: 0, removed: 0, named: true, conditions: 'same', copyDigest: 'copy' },
  fullAt: '2026-01-01T12:00:00Z',
};
const facts: ScopeFacts = {
  ...{ source: { ...survey, base }, copy: survey, conditions: 'same', hasExclusions: false },
  ...{ fullScanSeconds: 86_400, now: NOW },
};
const withBase = (more: Partial<typeof base>): ScopeFacts => ({
  ...facts,
  source: { ...survey, base: { ...base, ...more } },
});

describe('Given surveys of both ends', () => {
  test('When nothing has changed at either, then nothing is transferred', () => {
    expect(scopeOf(facts)).toEqual({ scope: 'None' });
    expect(scopeOf({ ...facts, hasExclusions: true })).toEqual({ scope: 'None' });
  });

  test('When little has changed at the source, then only that is looked at', () => {
    expect(scopeOf(withBase({ changed: 100, removed: 50 }))).toEqual({ scope: 'Changed' });
  });

  test.each<[string, ScopeFacts, string]>([
    ['the source has no survey', { ...facts, source: undefined }, 'surveyed'],
    ['the copy has no survey', { ...facts, copy: undefined }, 'surveyed'],
    ['the source is unreliable', { ...facts, source: { ...survey, base, reliable: false } }, 'network'],
    ['the copy is unreliable', { ...facts, copy: { ...survey, reliable: false } }, 'network'],
    ['nothing was kept', { ...facts, source: survey }, 'nothing is known'],
    ['the conditions are others', { ...facts, conditions: 'others' }, 'have changed'],
    ['the copy was touched', { ...facts, copy: { ...survey, digest: 'touched' } }, 'not as the last'],
    ['the last full comparison is a day ago', withBase({ fullAt: '2026-01-01T00:00:00Z' }), 'is due'],
    ['the clock was set back', withBase({ fullAt: '2026-01-03T00:00:00Z' }), 'is due'],
    ['the time cannot be read', withBase({ fullAt: 'x' }), 'is due'],
    ['every sync is to be full', { ...facts, fullScanSeconds: 0 }, 'is due'],
    ['half of it has changed', withBase({ changed: 501 }), 'very much'],
    ['the names had no room', withBase({ changed: 5, named: false }), 'very much'],
    ['something is gone without a trace', withBase({ removed: 1 }), 'gone'],
    [
      'something changed and something is excluded',
      { ...withBase({ changed: 1 }), hasExclusions: true },
      'excl',
    ],
  ])('When %s, then all is compared, and why is said', (_name, input, reason) => {
    expect(scopeOf(input)).toEqual({ scope: 'All', reason: expect.stringContaining(reason) });
  });

  test('When anything of the conditions differs, then they are others', () => {
    expect(conditionsOf({ a: 1 })).toBe(conditionsOf({ a: 1 }));
    expect(conditionsOf({ a: 1 })).not.toBe(conditionsOf({ a: 2 }));
  });
});
