import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, expect, test } from '@jest/globals';

import { keepSmall, releaseMemory } from './footprint.js';

const MiB = 2 ** 20;
let abort = new AbortController();

afterEach(() => {
  abort.abort();
  abort = new AbortController();
});

/** Old enough not to go with the next collection of young objects, and more than what the process may have free. */
function makeGarbage(): void {
  const held: object[][] = [];
  const enough = process.memoryUsage.rss() * 1.3 + 40 * MiB;
  while (process.memoryUsage.rss() < enough) {
    held.push(Array.from({ length: 20_000 }, (_, n) => ({ n, text: [n] })));
  }
  releaseMemory();
  held.length = 0;
}

test('Given garbage, when memory is released, then it is gone at once', () => {
  makeGarbage();
  const before = process.memoryUsage().heapUsed;
  releaseMemory();
  expect(process.memoryUsage().heapUsed).toBeLessThan(before - 20 * MiB);
});

test('Given a process that is kept small, when garbage has come together and it is quiet, then it goes by itself', async () => {
  releaseMemory();
  keepSmall(abort.signal, 100);
  makeGarbage();
  const before = process.memoryUsage().heapUsed;
  const until = Date.now() + 20_000;
  while (process.memoryUsage().heapUsed > before - 20 * MiB) {
    if (Date.now() > until) throw new Error('it did not go');
    await sleep(50);
  }
});
