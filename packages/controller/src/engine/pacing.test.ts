import { describe, expect, test } from '@jest/globals';

import { beginRepair, failed, held, type Paced, restMs, startAnew } from './pacing.js';

const item = (more: Partial<Paced> = {}): Paced => ({
  ...{ attempts: 0, notBefore: 0, writtenAt: Number.NEGATIVE_INFINITY, failure: undefined },
  ...more,
});
const MINUTE = 60_000;

describe('Given an object that somebody changes back each time', () => {
  test('its first repair is made at once, each further one later, up to an hour', () => {
    const one = item();
    let now = 0;
    const waits: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      expect(beginRepair(one, now)).toBe(true);
      expect(beginRepair(one, one.notBefore - 1)).toBe(false);
      waits.push(one.notBefore - now);
      now = one.notBefore;
    }

    expect(waits[0]).toBeLessThanOrEqual(10_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60 * MINUTE);
    expect(waits.at(-1)).toBeGreaterThan(10 * MINUTE);
  });

  test('a repair that held for long is forgotten, a fresh one is not', () => {
    const [fresh, old] = [item({ attempts: 3, writtenAt: 0 }), item({ attempts: 3, writtenAt: 0 })];
    held(fresh, 9 * MINUTE);
    held(old, 11 * MINUTE);

    expect([fresh.attempts, old.attempts]).toEqual([3, 0]);
  });
});

describe('Given an object that was tried', () => {
  test('what may heal by itself is tried again, later and later; what cannot waits for a change', () => {
    const [retry, wait, never] = [item(), item(), item()];

    expect(failed(retry, 'retry', 0)).toBeLessThanOrEqual(1_000);
    for (let i = 0; i < 20; i += 1) failed(retry, 'retry', 0);
    expect(retry.notBefore).toBeGreaterThan(MINUTE);
    expect(retry.notBefore).toBeLessThanOrEqual(5 * MINUTE);
    expect(failed(wait, 'wait', 0)).toBe(MINUTE);
    expect(failed(never, 'terminal', 0)).toBeUndefined();
    expect(never.notBefore).toBe(Number.POSITIVE_INFINITY);
  });

  test('success clears what was counted, and it rests for a moment', () => {
    const one = item({ attempts: 4, notBefore: MINUTE, writtenAt: 1_000 });
    startAnew(one);

    expect([one.attempts, one.notBefore]).toEqual([0, 0]);
    expect(restMs(one, 1_050)).toBe(150);
    expect(restMs(one, 2_000)).toBe(0);
    expect(restMs(item(), 0)).toBe(0);
  });
});
