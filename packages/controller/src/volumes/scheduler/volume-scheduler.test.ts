import { setImmediate as tick } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Registry } from 'prom-client';

import { type SchedulerLimits, VolumeScheduler, type VolumeTask } from './volume-scheduler.js';

interface Place {
  readonly sourceNode: string;
  readonly destinationNode: string;
}

/** Tasks that are transferred until they are told to end, and what happened to them. */
class Work {
  readonly begun: string[] = [];
  readonly prepared: string[] = [];
  readonly running = new Map<string, () => void>();
  readonly #all: Promise<unknown>[] = [];
  readonly scheduler: VolumeScheduler;
  readonly registry = new Registry();

  constructor(limits: Partial<SchedulerLimits> = {}) {
    this.scheduler = new VolumeScheduler(
      { transfers: 4, perNode: 4, ofRemote: () => ({}), ...limits },
      this.registry,
    );
  }

  add(
    volume: string,
    more: Partial<VolumeTask<Place, string>> & Partial<Place> = {},
    signal = new AbortController().signal,
  ): Promise<string> {
    const { sourceNode = 's', destinationNode = 'd', ...task } = more;
    const ended = this.scheduler.run<Place, string>(
      {
        ...{ volume, remote: 'ns/remote', namespace: 'ns', priority: 0 },
        prepare: () => {
          this.prepared.push(volume);
          return Promise.resolve({ sourceNode, destinationNode });
        },
        transfer: () => {
          this.begun.push(volume);
          return new Promise((resolve) => this.running.set(volume, () => resolve(volume)));
        },
        ...task,
      },
      signal,
    );
    ended.catch(() => undefined);
    this.#all.push(ended);
    return ended;
  }

  async end(volume: string): Promise<void> {
    this.running.get(volume)?.();
    this.running.delete(volume);
    await settle();
  }

  async endAll(): Promise<void> {
    for (let i = 0; i < 1_000 && this.running.size > 0; i += 1) {
      for (const volume of [...this.running.keys()]) await this.end(volume);
    }
    await Promise.allSettled(this.#all);
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await tick();
}

describe('Given volumes that are to be copied', () => {
  let work: Work;

  beforeEach(() => {
    work = new Work();
  });

  afterEach(() => work.endAll());

  test('When there are more than may run, then the others wait, and one that ends lets the next begin', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) void work.add(name);
    await settle();
    expect(work.begun).toEqual(['a', 'b', 'c', 'd']);
    await work.end('b');
    expect(work.begun).toEqual(['a', 'b', 'c', 'd', 'e']);
    const metrics = await work.registry.metrics();
    expect(metrics).toContain('dr_syncer_volumes_running{stage="transfer"} 4');
    expect(metrics).toContain('dr_syncer_volumes_waiting{stage="transfer"} 1');
    expect(metrics).toContain('dr_syncer_volume_wait_seconds_count{stage="transfer"} 5');
  });

  test('When one namespace asks for much, then another one does not wait for all of it', async () => {
    for (let i = 0; i < 8; i += 1) void work.add(`big-${i}`, { namespace: 'big' });
    void work.add('small', { namespace: 'small' });
    await settle();
    await work.end('big-0');
    expect(work.begun.at(-1)).toBe('small');
  });

  test('When one has a higher priority, then it is next, whoever it belongs to', async () => {
    for (let i = 0; i < 6; i += 1) void work.add(`low-${i}`, { namespace: `ns-${i}` });
    void work.add('high', { namespace: 'ns-0', priority: 10 });
    await settle();
    await work.end('low-0');
    expect(work.begun.at(-1)).toBe('high');
  });

  test.each<[string, Partial<SchedulerLimits>, Partial<Place> & { remote?: string }]>([
    [
      'remote cluster',
      { ofRemote: (name) => (name === 'ns/slow' ? { transfers: 1 } : {}) },
      { remote: 'ns/slow' },
    ],
    ['source node', { perNode: 1 }, { sourceNode: 'busy' }],
    ['node of the remote', { ofRemote: () => ({ perNode: 1 }) }, { destinationNode: 'busy' }],
  ])('When there is no room at a %s, then only what goes there waits', async (_name, limits, where) => {
    work = new Work(limits);
    for (const name of ['a', 'b', 'c']) void work.add(name, where);
    void work.add('free', { remote: 'ns/other', sourceNode: 'other', destinationNode: 'other' });
    await settle();
    expect(work.begun.sort()).toEqual(['a', 'free']);
    await work.end('a');
    expect(work.begun).toContain('b');
    expect(work.begun).not.toContain('c');
  });

  test('When a volume is asked for twice, then never at once', async () => {
    const first = work.add('same');
    const second = work.add('same');
    await settle();
    expect(work.prepared).toEqual(['same']);
    await work.end('same');
    expect(await first).toBe('same');
    expect(work.begun).toEqual(['same', 'same']);
    await work.end('same');
    expect(await second).toBe('same');
  });

  test('When many wait, then only a few more than run are prepared', async () => {
    for (let i = 0; i < 100; i += 1) void work.add(`v-${i}`);
    await settle();
    expect(work.begun).toHaveLength(4);
    expect(work.prepared.length).toBeLessThanOrEqual(4 + 4 + 8);
  });

  test('When what waits is cancelled, then it never begins and the others do', async () => {
    const abort = new AbortController();
    for (const name of ['a', 'b', 'c', 'd']) void work.add(name);
    await settle();
    const waiting = work.add('e', {}, abort.signal);
    void work.add('f');
    await settle();
    abort.abort(new Error('not any more'));
    await expect(waiting).rejects.toThrow('not any more');
    await work.end('a');
    expect(work.begun).toEqual(['a', 'b', 'c', 'd', 'f']);
  });

  test('When preparing fails, then that is how it ends, and its place is free', async () => {
    const failed = work.add('a', { prepare: () => Promise.reject(new Error('not mounted')) });
    await expect(failed).rejects.toThrow('not mounted');
    for (const name of ['a', 'b', 'c', 'd']) void work.add(name);
    await settle();
    expect(work.begun).toEqual(['a', 'b', 'c', 'd']);
  });

  test('When anything is asked for in any order, then no limit is passed and everything is done', async () => {
    const task = fc.record({
      volume: fc.constantFrom('v1', 'v2', 'v3', 'v4', 'v5', 'v6'),
      namespace: fc.constantFrom('n1', 'n2'),
      remote: fc.constantFrom('ns/r1', 'ns/r2'),
      priority: fc.integer({ min: -1, max: 1 }),
      sourceNode: fc.constantFrom('s1', 's2'),
      destinationNode: fc.constantFrom('d1', 'd2'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(task, { maxLength: 30 }), async (tasks) => {
        const limits = { transfers: 3, perNode: 2, ofRemote: () => ({ transfers: 2, perNode: 1 }) };
        const scheduler = new VolumeScheduler(limits, new Registry());
        const running: Record<string, number> = {};
        const count = (keys: string[], by: number) => {
          for (const key of keys) running[key] = (running[key] ?? 0) + by;
        };
        const results = tasks.map(({ sourceNode, destinationNode, ...one }, index) => {
          const keys = ['all', one.volume, one.remote, sourceNode, `${one.remote}${destinationNode}`];
          return scheduler.run(
            {
              ...one,
              prepare: () => Promise.resolve({ sourceNode, destinationNode }),
              transfer: async () => {
                count(keys, 1);
                await tick();
                expect(running['all']).toBeLessThanOrEqual(3);
                expect(running[one.volume]).toBe(1);
                expect(running[one.remote]).toBeLessThanOrEqual(2);
                expect(running[sourceNode]).toBeLessThanOrEqual(2);
                expect(running[`${one.remote}${destinationNode}`]).toBe(1);
                count(keys, -1);
                return index;
              },
            },
            new AbortController().signal,
          );
        });
        expect(await Promise.all(results)).toEqual(tasks.map((_, index) => index));
      }),
      { numRuns: 50 },
    );
  });
});
