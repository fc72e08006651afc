import { describe, expect, test } from '@jest/globals';

import { StreamMemory } from './stream-memory.js';
import { StreamPace } from './stream-pace.js';

const times = { warmMs: 1_000, windowMs: 2_000 };

/** Runs a transfer whose speed is a function of its streams, until nothing more is tried. */
function settle(
  pace: StreamPace,
  perSecond: (streams: number) => number,
): { streams: number; seconds: number } {
  let [now, done] = [0, 0];
  while (!pace.choice.settled && now < 60_000) {
    const moving = pace.choice.streams;
    now += 250;
    done += perSecond(moving) / 4;
    pace.update({ now, moving, done });
  }
  return { streams: pace.choice.streams, seconds: now / 1000 };
}

describe('Given a line', () => {
  test.each<[string, (streams: number) => number, number]>([
    ['that gives each connection its share', (streams) => streams * 20, 8],
    ['that three connections fill', (streams) => Math.min(streams * 20, 60), 4],
    ['that one connection fills', () => 60, 1],
    ['whose ends have no processor to spare', (streams) => 60 - streams, 1],
  ])(
    '%s When all is tried Then as few streams as that takes are kept, within seconds',
    (_name, speed, streams) => {
      const found = settle(new StreamPace(8, times), speed);
      expect(found.streams).toBe(streams);
      expect(found.seconds).toBeLessThan(16);
    },
  );

  test('When streams have not begun yet Then nothing is measured, and once they have, gaps between shards are part of it', () => {
    const pace = new StreamPace(4, times);
    for (let now = 0; now <= 10_000; now += 250) pace.update({ now, moving: 0, done: now });
    expect(pace.choice).toEqual({ streams: 1, settled: false });
    // Shards that take half a second each.
    for (let now = 10_250; now < 13_250; now += 250) pace.update({ now, moving: (now / 250) % 2, done: now });
    expect(pace.choice.streams).toBe(1);
    pace.update({ now: 13_250, moving: 0, done: 13_250 });
    expect(pace.choice).toEqual({ streams: 2, settled: false });
  });

  test('When it is known already Then nothing is tried, and no more are used than may be', () => {
    expect(new StreamPace(4, times, 2).choice).toEqual({ streams: 2, settled: true });
    expect(new StreamPace(2, times, 8).choice).toEqual({ streams: 2, settled: true });
  });
});

describe('Given what was found out about destinations', () => {
  test('When it is asked for Then the last finding counts for an hour, and the oldest of very many is forgotten', () => {
    const memory = new StreamMemory();
    expect(memory.recall('a:1', 0)).toBeUndefined();
    memory.learn('a:1', 2, 0);
    memory.learn('a:1', 4, 10);
    expect(memory.recall('a:1', 1_000)).toBe(4);
    expect(memory.recall('a:1', 3_600_011)).toBeUndefined();
    for (let index = 0; index < 1_024; index += 1) memory.learn(`b:${index}`, 1, 20);
    expect(memory.recall('a:1', 1_000)).toBeUndefined();
    expect(memory.recall('b:0', 1_000)).toBe(1);
  });
});
