import { Readable } from 'node:stream';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { channelInternals } from './ssh2-internals.js';
import { ReceiveWindow, SMALLEST_WINDOW, SSH2_WINDOW, WindowBudget } from './window.js';

const MiB = 2 ** 20;

describe('Given the window of a session', () => {
  test.each([
    ['another kind of stream', {}],
    ['no window', { incoming: { id: 0, packetSize: 1, state: 'open' } }],
    ['no protocol', { incoming: flow(), outgoing: flow(), _waitChanDrain: false, _client: {} }],
    ['no back-pressure of its own', { incoming: flow(), outgoing: flow(), _client: { _protocol: {} } }],
    [
      'a protocol without the method',
      {
        incoming: flow(),
        outgoing: flow(),
        _waitChanDrain: false,
        _client: { _protocol: { _kexinit: undefined } },
      },
    ],
  ])('When ssh2 is built differently (%s), then the window stays as it is', (_name, shape) => {
    const stream = Object.assign(new Readable({ read: () => undefined }), shape);
    expect(channelInternals(stream)).toBeUndefined();
    new ReceiveWindow(stream, { max: 16 * MiB, roundTripMs: 50 }, new WindowBudget(16 * MiB)).took(64 * MiB);
    expect(stream).toMatchObject(shape);
  });

  /** A channel as the shim sees it: what it grants is noted, and the test moves the data. */
  function simulated(budget: WindowBudget, roundTripMs = 50) {
    const clock = { now: 0 };
    const granted: number[] = [];
    const incoming = { ...flow(), window: SSH2_WINDOW };
    const protocol = {
      _kexinit: undefined,
      channelWindowAdjust: (_id: number, n: number) => granted.push(n),
    };
    const stream = Object.assign(new Readable({ read: () => undefined, highWaterMark: 64 * MiB }), {
      incoming,
      outgoing: flow(),
      _waitChanDrain: false,
      _client: { _protocol: protocol },
    });
    const window = new ReceiveWindow(stream, { max: 16 * MiB, roundTripMs }, budget, () => clock.now);
    const arrive = (bytes: number) => {
      incoming.window -= bytes;
      stream.push(Buffer.alloc(bytes));
    };
    const take = (bytes: number) => {
      stream.read(bytes);
      window.took(bytes);
    };
    /** Data comes as over a line: a window's worth each round trip, but never more than `rate` bytes a millisecond. */
    const line = (bytes: number, roundTripMs: number, rate: number) => {
      for (let moved = 0; moved < bytes; moved += MiB / 8) {
        arrive(MiB / 8);
        clock.now += Math.max((MiB / 8 / window.size) * roundTripMs, MiB / 8 / rate);
        take(MiB / 8);
      }
    };
    return { window, stream, incoming, granted, arrive, take, line, clock };
  }

  test.each([
    ['a long fast line', 50, 1000 * 1000, 16],
    ['a longer line', 200, 1000 * 1000, 16],
    ['no distance at all', 0, 300 * 1000, 2],
    ['a short line that is slow itself', 1, 100 * 1000, 2],
    ['a line that 4 MiB fill', 50, 80 * 1000, 8],
    ['a long line that is slow itself', 50, 10 * 1000, 2],
  ])(
    'When the data comes over %s, then the window grows as far as that helps',
    (_name, roundTrip, rate, size) => {
      const { window, line } = simulated(new WindowBudget(64 * MiB), roundTrip);
      const sizes: number[] = [];
      for (let i = 0; i < 200; i += 1) {
        line(MiB, roundTrip, rate);
        sizes.push(window.size / MiB);
      }
      const usual = sizes.slice(100).sort((x, y) => x - y)[50];
      expect(usual).toBe(size);
    },
  );

  test('When data comes and goes in any way, then what may come and what waits is never more than the size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 32 })), { maxLength: 300 }),
        (steps) => {
          const { window, stream, incoming, arrive, take } = simulated(new WindowBudget(64 * MiB));
          let before = window.size;
          for (const [comes, amount] of steps) {
            const bytes = (amount * MiB) / 8;
            if (comes) arrive(Math.min(bytes, incoming.window));
            else take(Math.min(bytes, stream.readableLength));
            expect(incoming.window + stream.readableLength).toBeLessThanOrEqual(
              Math.max(before, window.size),
            );
            before = Math.max(window.size, incoming.window + stream.readableLength);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test('When the consumer falls behind, then the window shrinks again and gives back what it had', () => {
    const budget = new WindowBudget(14 * MiB);
    const { window, arrive, take, incoming, stream, line } = simulated(budget);
    line(80 * MiB, 50, 1000 * 1000);
    expect(window.size).toBe(16 * MiB);
    expect(budget.take(1)).toBe(false);
    for (let i = 0; i < 3000; i += 1) {
      arrive(incoming.window);
      take(Math.min(MiB / 16, stream.readableLength));
    }
    expect(window.size).toBe(SMALLEST_WINDOW);
    expect(budget.take(14 * MiB)).toBe(true);
    budget.giveBack(14 * MiB);
    take(stream.readableLength);
    line(200 * MiB, 50, 1000 * 1000);
    expect(window.size).toBe(16 * MiB);
  });

  test('When data comes in bursts that are taken before the next one, then the window grows', () => {
    const { window, arrive, take, incoming, stream, clock } = simulated(new WindowBudget(64 * MiB));
    for (let burst = 0; burst < 40; burst += 1) {
      arrive(incoming.window);
      clock.now += 50;
      while (stream.readableLength > 0) take(Math.min(MiB / 8, stream.readableLength));
    }
    expect(window.size).toBe(16 * MiB);
  });

  test('When the line has become slow, then the window gives back what is of no use', () => {
    const budget = new WindowBudget(14 * MiB);
    const { window, line } = simulated(budget);
    line(80 * MiB, 50, 1000 * 1000);
    expect(window.size).toBe(16 * MiB);
    line(80 * MiB, 50, 5 * 1000);
    expect(window.size).toBe(2 * MiB);
    expect(budget.take(14 * MiB)).toBe(true);
  });

  test('When the budget of all windows is used up, then the others stay with 2 MiB', () => {
    const taken: number[] = [];
    let refused = 0;
    const budget = new WindowBudget(3 * MiB, {
      taken: (bytes) => taken.push(bytes),
      refused: () => (refused += 1),
    });
    const [first, second] = [simulated(budget), simulated(budget)];
    for (const { line } of [first, second]) line(80 * MiB, 50, 1000 * 1000);
    expect([first.window.size, second.window.size]).toEqual([4 * MiB, 2 * MiB]);
    expect(refused).toBeGreaterThan(0);
    first.window.close();
    expect(taken).toEqual([2 * MiB, 0]);
    expect(budget.take(3 * MiB)).toBe(true);
  });
});

function flow() {
  return { id: 0, window: 0, packetSize: 32_768, state: 'open' };
}
