import { KubeError } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { WriteQueue } from './write-queue.js';

const { signal } = new AbortController();
const busy = (retryAfterSeconds = 0.2) =>
  new KubeError('busy', { status: 429, reason: 'TooManyRequests', retryAfterSeconds });
const away = () => new KubeError('away', { status: 0, reason: 'ConnectionFailed' });

describe('Given a server that has too much to do', () => {
  test('When it says so Then nobody writes until the time it asked for is over, and fewer write at a time', async () => {
    const queue = new WriteQueue({ concurrency: 8 });
    const begun = performance.now();
    const starts: number[] = [];
    let refusals = 4;

    const results = await Promise.all(
      Array.from({ length: 20 }, (_one, i) =>
        queue.run(() => {
          starts.push(performance.now() - begun);
          if (refusals > 0) {
            refusals -= 1;
            return Promise.reject(busy());
          }
          return new Promise<number>((resolve) => setTimeout(() => resolve(i), 5));
        }, signal),
      ),
    );

    expect(results).toEqual(Array.from({ length: 20 }, (_one, i) => i));
    expect(starts.filter((at) => at > 50 && at < 190)).toEqual([]);
    expect(queue.concurrency).toBe(4);
  });

  test('When it goes well again Then more and more write at a time', async () => {
    const queue = new WriteQueue({ concurrency: 8 });
    let refuse = true;
    const write = () => {
      if (!refuse) return Promise.resolve();
      refuse = false;
      return Promise.reject(busy(0.01));
    };

    for (let i = 0; i < 160; i += 1) await queue.run(write, signal);

    expect(queue.concurrency).toBe(7);
  });

  test('When it never recovers Then the write fails in the end', async () => {
    const queue = new WriteQueue({ concurrency: 1, random: () => 0 });
    let attempts = 0;
    const write = () => {
      attempts += 1;
      return Promise.reject(busy(0.001));
    };

    await expect(queue.run(write, signal)).rejects.toMatchObject({ status: 429 });
    expect(attempts).toBe(10);
  });
});

describe('Given a server that can not be reached', () => {
  test('When many wait Then only a few ask it, and afterwards it is asked again', async () => {
    const queue = new WriteQueue({ concurrency: 2, random: () => 0 });
    let attempts = 0;
    const write = () => {
      attempts += 1;
      return Promise.reject(away());
    };

    const results = await Promise.allSettled(Array.from({ length: 1000 }, () => queue.run(write, signal)));

    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(attempts).toBeLessThan(20);
    let back: string | undefined;
    for (const deadline = performance.now() + 10_000; back === undefined;) {
      back = await queue.run(() => Promise.resolve('back'), signal).catch(() => undefined);
      if (performance.now() > deadline) throw new Error('it is not asked again');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await expect(queue.run(() => Promise.resolve('stays'), signal)).resolves.toBe('stays');
  });

  test('When one object is refused Then nobody else is held up', async () => {
    const queue = new WriteQueue({ concurrency: 2 });
    const invalid = new KubeError('invalid', { status: 422, reason: 'Invalid' });
    let attempts = 0;

    for (let i = 0; i < 10; i += 1) {
      const write = () => {
        attempts += 1;
        return Promise.reject(invalid);
      };
      await expect(queue.run(write, signal)).rejects.toBe(invalid);
    }

    expect(attempts).toBe(10);
    await expect(queue.run(() => Promise.resolve('well'), signal)).resolves.toBe('well');
  });
});

test('When the signal aborts Then those that wait end with its reason', async () => {
  const queue = new WriteQueue({ concurrency: 1 });
  const controller = new AbortController();
  const slow = queue.run(() => new Promise<void>((resolve) => setTimeout(resolve, 50)), controller.signal);
  const waiting = queue.run(() => Promise.resolve(), controller.signal);

  controller.abort(new Error('enough'));

  await expect(waiting).rejects.toThrow('enough');
  await slow;
});
