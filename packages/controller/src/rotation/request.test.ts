import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { askedBy, dueAt } from './request.js';

describe('Given the annotation that asks for a rotation', () => {
  const name = 'dr-syncer.io/rotate-ssh-key';

  test.each([
    [undefined, { request: 'none' }],
    ['true', { request: 'rotate' }],
    ['revoke', { request: 'revoke' }],
  ])('When it is %j Then it is understood', (value, expected) => {
    expect(askedBy(name, value, true)).toEqual(expected);
  });

  test.each(['', 'false', 'True', 'yes', 'now', 'x'.repeat(1000)])(
    'When it is %j Then it is refused, and what it takes is said',
    (value) => {
      const asked = askedBy(name, value, true);
      const text = 'refused' in asked ? asked.refused : '';
      expect(text).toContain(name);
      expect(text).toContain('"true"');
      expect(text).toContain('"revoke"');
      expect(text.length).toBeLessThan(300);
    },
  );

  test('When there is nothing to revoke Then "revoke" is refused', () => {
    expect(askedBy('dr-syncer.io/rotate-host-keys', 'revoke', false)).toHaveProperty('refused');
  });
});

describe('Given an interval', () => {
  test('When a key was made Then it is due within the last tenth of it, always at the same time', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 3_600_000, max: 1e11 }), (seed, interval) => {
        const made = new Date('2026-01-01T00:00:00Z');
        const due = dueAt(made, interval, seed).getTime() - made.getTime();
        expect(due).toBeGreaterThanOrEqual(Math.floor(interval * 0.9));
        expect(due).toBeLessThanOrEqual(interval);
        expect(dueAt(made, interval, seed)).toEqual(dueAt(made, interval, seed));
      }),
    );
  });
});
