import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Admission, dropProbability } from './admission.js';
import { sshLimitsSchema } from '@dr-syncer/ssh';
import { sourceKey } from './source-address.js';
import { KeyedBuckets, TokenBucket } from './token-bucket.js';

describe('Given MaxStartups 10:30:100', () => {
  const startups = { start: 10, ratePercent: 30, full: 100 };

  test.each([
    [0, 0],
    [9, 0],
    [10, 0.3],
    [55, 0.65],
    [99, 0.3 + (0.7 * 89) / 90],
    [100, 1],
    [5000, 1],
  ])('When %d are open, then a new one is dropped with probability %d', (open, probability) => {
    expect(dropProbability(open, startups)).toBeCloseTo(probability);
  });
});

describe('Given the counts of connections', () => {
  test('When connections come and go in any order, then nothing is left in the end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean()), { maxLength: 60 }),
        (steps) => {
          const admission = new Admission(
            sshLimitsSchema.parse({ startupsPerSource: 4, connections: 8 }),
            0,
            () => 0.99,
          );
          const open: (() => void)[] = [];
          for (const [source, loggedIn] of steps) {
            if (admission.startup(source) !== undefined) continue;
            if (!loggedIn) open.push(() => admission.endStartup(source));
            else {
              admission.endStartup(source);
              if (admission.connection(source) === undefined)
                open.push(() => admission.endConnection(source));
            }
          }
          for (const end of open) end();
          expect([admission.startups, admission.connections]).toEqual([0, 0]);
          for (let i = 0; i < 4; i += 1) expect(admission.startup('a')).toBeUndefined();
          expect(admission.startup('a')).toBe('startupsPerSource');
        },
      ),
    );
  });
});

describe('Given a token bucket', () => {
  test('When time passes, then it fills up to its burst', () => {
    const bucket = new TokenBucket({ perSecond: 2, burst: 3 }, 0);
    expect([0, 0, 0, 0].map((now) => bucket.take(now))).toEqual([true, true, true, false]);
    expect([500, 500, 1000].map((now) => bucket.take(now))).toEqual([true, false, true]);
    expect([60_000, 60_000, 60_000, 60_000].map((now) => bucket.take(now))).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  test('When more keys come than it holds, then the oldest are forgotten', () => {
    const buckets = new KeyedBuckets({ perSecond: 1, burst: 1 }, 2);
    expect(['a', 'b', 'a', 'c', 'b', 'c'].map((key) => buckets.take(key, 0))).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
    ]);
  });
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:0:0:ffff::', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('Given the address %s, then it counts as %s', (address, key) => {
  expect(sourceKey(address)).toBe(key);
});
