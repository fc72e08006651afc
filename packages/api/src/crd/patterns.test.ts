import { describe, expect, test } from '@jest/globals';

import { customResourceDefinition, kindDefinitions } from './definitions.js';

/** What an API server cannot compile: RE2 takes at most this many repetitions, nested ones multiplied. */
const MAX_REPEAT = 1000;

function patternsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'pattern' && typeof inner === 'string' ? [inner] : patternsIn(inner),
  );
}

describe('Given the patterns of the CRDs', () => {
  test('Then an API server can compile each of them', () => {
    const patterns = kindDefinitions.flatMap((one) => patternsIn(customResourceDefinition(one)));
    expect(patterns.length).toBeGreaterThan(5);
    for (const pattern of patterns) {
      const counts = [...pattern.matchAll(/\{(?:\d+,)?(\d+)\}/g)].map(([, count]) => Number(count));
      // Stricter than RE2, which multiplies only what is nested.
      const all = counts.reduce((product, count) => product * count, 1);
      expect([pattern, all <= MAX_REPEAT || !pattern.includes('){')]).toEqual([pattern, true]);
      expect(/\(\?[=!<]/.test(pattern)).toBe(false);
    }
  });
});
