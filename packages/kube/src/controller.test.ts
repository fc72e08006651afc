import { describe, expect, test } from '@jest/globals';
import { DrError } from '@dr-syncer/api';
import {
  type ControllerOptions,
  type ReconcileResult,
  type ReconcileSample,
  runController,
} from './controller.js';
import { eventually } from './testing/eventually.js';
import { WorkQueue } from './work-queue.js';

interface Run {
  readonly queue: WorkQueue;
  readonly samples: ReconcileSample[];
  readonly errors: [string, string, number | undefined][];
  readonly stop: () => Promise<void>;
}

function run(
  reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult | undefined>,
  options: Partial<ControllerOptions> = {},
): Run {
  const abort = new AbortController();
  const queue = new WorkQueue({ baseDelayMs: 5, maxDelayMs: 20 });
  const samples: ReconcileSample[] = [];
  const errors: [string, string, number | undefined][] = [];
  const running = runController(
    {
      ...{ name: 'test', queue, workers: 2, reconcile, waitRetryMs: 30 },
      onError: (key, err, retry) => errors.push([key, err.code, retry]),
      onReconcile: (sample) => samples.push(sample),
      ...options,
    },
    abort.signal,
  );
  return {
    ...{ queue, samples, errors },
    stop: () => {
      abort.abort();
      return running;
    },
  };
}

describe('Given a controller', () => {
  test('When a run succeeds or asks to come again, Then that happens', async () => {
    const runs: string[] = [];
    const { queue, samples, stop } = run((key) => {
      runs.push(key);
      return Promise.resolve(key === 'again' && runs.length < 4 ? { requeueAfterMs: 5 } : undefined);
    });
    queue.add('once');
    queue.add('again');
    await eventually(() => runs.length === 4, 'four runs');
    await stop();
    expect(runs).toEqual(['once', 'again', 'again', 'again']);
    expect(samples.map(({ outcome }) => outcome)).toEqual(['success', 'requeue', 'requeue', 'success']);
  });

  test.each([
    ['Internal', 'retry', true],
    ['StorageClassNotFound', 'wait', true],
    ['ObjectRejected', 'terminal', false],
  ] as const)('When a run fails with %s, Then it is treated as %s', async (code, outcome, again) => {
    let runs = 0;
    const { queue, samples, errors, stop } = run(() => {
      runs += 1;
      return Promise.reject(new DrError(code, 'x'));
    });
    queue.add('a');
    await eventually(() => errors.length >= 1, 'the error');
    await new Promise((resolve) => setTimeout(resolve, 80));
    await stop();
    expect(errors[0]).toEqual(['a', code, again ? expect.any(Number) : undefined]);
    expect(samples[0]?.outcome).toBe(outcome);
    if (again) expect(runs).toBeGreaterThan(1);
    else expect(runs).toBe(1);
  });

  test('When a run throws something at once, Then the worker goes on', async () => {
    const { queue, errors, samples, stop } = run((key) => {
      if (key === 'bad') throw new TypeError('bug');
      return Promise.resolve(undefined);
    });
    queue.add('bad');
    queue.add('good');
    await eventually(() => samples.length >= 2, 'both');
    await stop();
    expect(errors[0]).toEqual(['bad', 'Internal', expect.any(Number)]);
  });

  test('When observers throw, Then the workers go on', async () => {
    let runs = 0;
    const fail = (): never => {
      throw new Error('observer');
    };
    const { queue, stop } = run(() => Promise.reject(new Error(`run ${++runs}`)), {
      onError: fail,
      onReconcile: fail,
    });
    queue.add('a');
    await eventually(() => runs === 3, 'it is tried again');
    await stop();
  });

  test('When a run takes too long, Then its signal aborts and it is tried again', async () => {
    const { queue, errors, stop } = run(
      (_key, signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      { timeoutMs: 20 },
    );
    queue.add('a');
    await eventually(() => errors.length >= 2, 'two timeouts');
    await stop();
    expect(errors[0]?.[1]).toBe('Timeout');
  });

  test('When it is stopped, Then runs under way see the signal and are waited for, and no error is reported', async () => {
    let [started, ended] = [false, false];
    const { queue, errors, samples, stop } = run(async (_key, signal) => {
      started = true;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await new Promise((resolve) => setTimeout(resolve, 30));
      ended = true;
      throw signal.reason as Error;
    });
    queue.add('a');
    await eventually(() => started, 'it runs');
    await stop();
    expect(ended).toBe(true);
    expect(errors).toEqual([]);
    expect(samples).toMatchObject([{ outcome: 'cancelled' }]);
  });

  test('When many keys come with few workers, Then no key runs twice at a time and all run', async () => {
    const working = new Set<string>();
    const seen = new Set<string>();
    let most = 0;
    const { queue, stop } = run(
      async (key) => {
        expect(working.has(key)).toBe(false);
        working.add(key);
        most = Math.max(most, working.size);
        await new Promise((resolve) => setImmediate(resolve));
        working.delete(key);
        seen.add(key);
        return undefined;
      },
      { workers: 3 },
    );
    for (let i = 0; i < 300; i += 1) queue.add(`k${i % 30}`);
    await eventually(() => seen.size === 30 && queue.length === 0 && queue.processing === 0, 'all have run');
    await stop();
    expect(most).toBe(3);
  });
});
