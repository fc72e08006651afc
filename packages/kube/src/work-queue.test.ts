import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { WorkQueue } from './work-queue.js';

async function drained(queue: WorkQueue): Promise<string[]> {
  const keys: string[] = [];
  while (queue.length > 0) {
    const key = await queue.get();
    if (key === undefined) break;
    keys.push(key);
  }
  return keys;
}

describe('Given a work queue', () => {
  test('When a key is added often, Then it is handed out once', async () => {
    const queue = new WorkQueue();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.length).toBe(3);
    expect(await drained(queue)).toEqual(['a', 'b', 'c']);
  });

  test('When a key is added while it is worked on, Then it comes again, after done and not before', async () => {
    const queue = new WorkQueue();
    queue.add('a');
    expect(await queue.get()).toBe('a');
    queue.add('a');
    const next = queue.get();
    await expect(Promise.race([next, Promise.resolve('nothing')])).resolves.toBe('nothing');
    queue.done('a');
    expect(await next).toBe('a');
    expect(queue.processing).toBe(1);
  });

  test('When priorities differ, Then the highest comes first, and a key can be raised but not lowered', async () => {
    const queue = new WorkQueue();
    queue.add('low', -1);
    queue.add('a');
    queue.add('b');
    queue.add('raised', -1);
    queue.add('high', 5);
    queue.add('raised', 3);
    queue.add('high', -5);
    expect(await drained(queue)).toEqual(['high', 'raised', 'a', 'b', 'low']);
  });

  test('When it waits for a moment, Then the earliest one counts', async () => {
    jest.useFakeTimers();
    try {
      const queue = new WorkQueue();
      queue.addAfter('a', 1000);
      queue.addAfter('a', 5000);
      queue.addAfter('a', 500);
      expect(queue.delayed).toBe(1);
      jest.advanceTimersByTime(499);
      expect(queue.length).toBe(0);
      jest.advanceTimersByTime(2);
      expect(await drained(queue)).toEqual(['a']);
      jest.advanceTimersByTime(10_000);
      expect(queue.length).toBe(0);
      queue.shutdown();
    } finally {
      jest.useRealTimers();
    }
  });

  test.each([0, -5, Number.NaN])('When the wait is %d, Then the key is there at once', async (ms) => {
    const queue = new WorkQueue();
    queue.addAfter('a', ms);
    expect(await drained(queue)).toEqual(['a']);
  });

  test('When the wait is longer than a timer can be, Then it is not cut to nothing', () => {
    jest.useFakeTimers();
    try {
      const queue = new WorkQueue();
      const days = 24 * 3_600_000;
      queue.addAfter('a', 60 * days);
      jest.advanceTimersByTime(59 * days);
      expect(queue.length).toBe(0);
      jest.advanceTimersByTime(2 * days);
      expect(queue.length).toBe(1);
      queue.shutdown();
    } finally {
      jest.useRealTimers();
    }
  });

  test('When a key fails again and again, Then the wait doubles up to the limit, until it is forgotten', () => {
    const queue = new WorkQueue({ baseDelayMs: 100, maxDelayMs: 1000, random: () => 1 });
    expect(Array.from({ length: 6 }, () => queue.addRateLimited('a'))).toEqual([
      100, 200, 400, 800, 1000, 1000,
    ]);
    expect(queue.failures('a')).toBe(6);
    queue.forget('a');
    expect(queue.addRateLimited('a')).toBe(100);
    for (let i = 0; i < 2000; i += 1) expect(queue.addRateLimited('b')).toBeLessThanOrEqual(1000);
    queue.shutdown();
  });

  test('When it is shut down, Then waiting ends, nothing is added, and drain waits for what is worked on', async () => {
    const queue = new WorkQueue();
    queue.add('a');
    queue.add('b');
    await queue.get();
    queue.addAfter('c', 10);
    let over = false;
    const draining = queue.drain().then(() => (over = true));
    queue.shutdown();
    queue.add('d');
    queue.addAfter('e', 1);
    expect(await queue.get()).toBeUndefined();
    expect([queue.length, queue.delayed, over]).toEqual([0, 0, false]);
    queue.done('a');
    await draining;
    expect(over).toBe(true);
    expect(() => queue.done('a')).toThrow('not being worked on');
  });

  test('When a waiter is cancelled, Then it gets nothing and the next one gets the key', async () => {
    const queue = new WorkQueue();
    const abort = new AbortController();
    const [first, second] = [queue.get(abort.signal), queue.get()];
    abort.abort();
    queue.add('a');
    expect(await first).toBeUndefined();
    expect(await second).toBe('a');
    expect(await queue.get(abort.signal)).toBeUndefined();
  });

  test('When 100,000 keys wait, Then they are handed out in linear time', async () => {
    const queue = new WorkQueue();
    const begun = performance.now();
    for (let i = 0; i < 100_000; i += 1) queue.add(`k${i}`, i % 3);
    for (let i = 0; i < 100_000; i += 1) queue.done((await queue.get())!);
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});

/** What the queue promises, written down the slow way. */
class Model {
  waiting = new Map<string, number>();
  working = new Set<string>();
  again = new Map<string, number>();
  #order: string[] = [];

  add(key: string, priority: number): void {
    const target = this.working.has(key) ? this.again : this.waiting;
    const before = target.get(key);
    if (before !== undefined && before >= priority) return;
    target.set(key, priority);
    if (target === this.waiting) this.#order = [...this.#order.filter((one) => one !== key), key];
  }

  take(): string | undefined {
    const best = Math.max(...this.waiting.values());
    const key = this.#order.find((one) => this.waiting.get(one) === best);
    if (key === undefined) return undefined;
    this.waiting.delete(key);
    this.#order = this.#order.filter((one) => one !== key);
    this.working.add(key);
    return key;
  }

  done(key: string): void {
    this.working.delete(key);
    const priority = this.again.get(key);
    this.again.delete(key);
    if (priority !== undefined) this.add(key, priority);
  }
}

describe('Given any sequence of operations', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const operation = fc.oneof(
    fc.record({ op: fc.constant('add' as const), key, priority: fc.integer({ min: -1, max: 1 }) }),
    fc.record({ op: fc.constant('take' as const) }),
    fc.record({ op: fc.constant('done' as const), key }),
  );

  test('Then the queue does what the model does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 80 }), async (operations) => {
        const queue = new WorkQueue();
        const model = new Model();
        for (const step of operations) {
          if (step.op === 'add') {
            queue.add(step.key, step.priority);
            model.add(step.key, step.priority);
          } else if (step.op === 'done' && model.working.has(step.key)) {
            queue.done(step.key);
            model.done(step.key);
          } else if (step.op === 'take' && model.waiting.size > 0) {
            expect(await queue.get()).toBe(model.take());
          }
          expect(queue.length).toBe(model.waiting.size + model.again.size);
          expect(queue.processing).toBe(model.working.size);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('Then with many workers no key is worked on twice at a time and the last add is always followed by work', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(key, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        async (adds, workers) => {
          const queue = new WorkQueue();
          const wanted = new Map<string, number>();
          const seen = new Map<string, number>();
          const working = new Set<string>();
          const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
          const work = async (): Promise<void> => {
            for (let got = await queue.get(); got !== undefined; got = await queue.get()) {
              expect(working.has(got)).toBe(false);
              working.add(got);
              const version = wanted.get(got) ?? 0;
              await turn();
              seen.set(got, version);
              working.delete(got);
              queue.done(got);
            }
          };
          const all = Array.from({ length: workers }, work);
          for (const [name, pause] of adds) {
            wanted.set(name, (wanted.get(name) ?? 0) + 1);
            queue.add(name);
            for (let i = 0; i < pause; i += 1) await turn();
          }
          while (queue.length > 0 || queue.processing > 0) await turn();
          queue.shutdown();
          await Promise.all(all);
          expect(seen).toEqual(wanted);
        },
      ),
      { numRuns: 200 },
    );
  });
});
