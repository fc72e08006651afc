import { describe, expect, test } from '@jest/globals';

import { RoundTrip } from './round-trip.js';

/** Answers, then hears of the client after each of these milliseconds. */
function measured(...delays: number[]): RoundTrip {
  let now = 0;
  const trip = new RoundTrip(() => now);
  for (const delay of delays) {
    trip.answered();
    now += delay;
    trip.heard();
  }
  return trip;
}

describe('Given the time that a client takes to go on', () => {
  test.each([
    [[50.2, 54], 64],
    [[3, 0.3], 0.5],
    [[1], 1],
    [[0.05], 0.0625],
  ])('When it is %p ms, then the shortest says how large a window is of use (%d MiB)', (delays, size) => {
    expect(measured(...delays).usefulWindow()).toBe(size * 2 ** 20);
  });

  test('When nothing was measured, then there is no limit', () => {
    const trip = new RoundTrip();
    trip.heard();
    expect(trip.usefulWindow()).toBe(Infinity);
  });
});
