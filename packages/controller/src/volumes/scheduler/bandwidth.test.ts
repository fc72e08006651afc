import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Bandwidth, fairShares } from './bandwidth.js';

describe('Given a bandwidth that transfers share', () => {
  test('When one comes and goes, then the others are told what they have now', () => {
    const bandwidth = new Bandwidth(() => 100);
    const told: number[] = [];
    const first = bandwidth.join('ns/r', 0);
    first.onChange = (rate) => told.push(rate);
    expect(first.bytesPerSecond).toBe(100 * 1024);
    const second = bandwidth.join('ns/r', 0);
    expect(second.bytesPerSecond).toBe(50 * 1024);
    const elsewhere = bandwidth.join('ns/other', 0);
    expect(elsewhere.bytesPerSecond).toBe(100 * 1024);
    second.leave();
    second.leave();
    expect(told).toEqual([50 * 1024, 100 * 1024]);
    first.leave();
    bandwidth.join('ns/r', 0);
    expect(told).toHaveLength(2);
  });

  test('When a volume has a limit of its own, then what it leaves is for the others', () => {
    const bandwidth = new Bandwidth(() => 100);
    bandwidth.join('ns/r', 10);
    expect(bandwidth.join('ns/r', 0).bytesPerSecond).toBe(90 * 1024);
  });

  test('When the remote has no limit, then nobody has a share', () => {
    expect(new Bandwidth(() => 0).join('ns/r', 10).bytesPerSecond).toBeUndefined();
  });

  test('When shares are worked out, then all is given away, nobody passes its cap, and no two differ without need', () => {
    const cap = fc.oneof(fc.double({ min: 1, max: 1e9, noNaN: true }), fc.constant(Infinity));
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 1e9, noNaN: true }),
        fc.array(cap, { minLength: 1 }),
        (total, caps) => {
          const shares = fairShares(total, caps);
          const sum = shares.reduce((a, b) => a + b, 0);
          const wanted = Math.min(
            total,
            caps.reduce((a, b) => a + b, 0),
          );
          expect(Math.abs(sum - wanted)).toBeLessThanOrEqual(wanted * 1e-9);
          const most = Math.max(...shares);
          shares.forEach((share, index) => {
            expect(share).toBeLessThanOrEqual(caps[index] ?? 0);
            if (share < (caps[index] ?? 0) * (1 - 1e-9))
              expect(share).toBeGreaterThanOrEqual(most * (1 - 1e-9));
          });
        },
      ),
    );
  });
});
