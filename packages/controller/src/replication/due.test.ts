import { replicationSchema } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { planRun, type Situation } from './due.js';

const now = new Date('2026-06-01T12:00:00Z');

function situation(
  sync: Record<string, unknown>,
  status: Record<string, unknown> = {},
  more: Partial<Situation> = {},
): Situation {
  const replication = replicationSchema.parse({
    metadata: {
      ...{ name: 'r', namespace: 'n', uid: 'u', resourceVersion: '1', generation: 3 },
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { destinationCluster: 'c', sync },
    status,
  });
  return {
    replication,
    request: undefined,
    volumeRun: undefined,
    isFollowing: false,
    retryAt: undefined,
    now,
    ...more,
  };
}

const ran = (lastRunTime: string, lastSyncTime = lastRunTime) => ({
  ...{ lastRunTime, lastSyncTime, lastRunGeneration: 3 },
});
const hourly = { mode: 'Scheduled', schedule: '@hourly' };

describe('Given mode Manual', () => {
  test('nothing begins, until somebody asks', () => {
    expect(planRun(situation({}))).toEqual({});
    expect(planRun(situation({}, {}, { request: 'r1' }))).toEqual({
      run: { id: 'r1', cause: 'Request', volumes: true },
    });
  });
});

describe('Given mode Scheduled', () => {
  test.each([
    ['what never ran runs at once', {}, 'First'],
    [
      'what ran by another spec runs at once',
      { ...ran('2026-06-01T11:59:00Z'), lastRunGeneration: 2 },
      'SpecChanged',
    ],
    ['a time that has come is due', ran('2026-06-01T10:59:00Z'), 'Due'],
    ['the moment itself is due', ran('2026-06-01T11:00:01Z'), 'Due'],
    ['many missed times are made up for once', ran('2026-05-01T00:00:00Z'), 'Due'],
  ])('%s', (_title, status, cause) => {
    expect(planRun(situation(hourly, status)).run).toMatchObject({ cause, volumes: true });
  });

  test('before its time it waits for that', () => {
    const at = new Date('2026-06-01T12:30:00Z');

    expect(planRun(situation(hourly, ran('2026-06-01T12:10:00Z'), { now: at }))).toEqual({
      next: new Date('2026-06-01T13:00:00Z'),
    });
  });

  test('a sync that is due has the same name after a restart', () => {
    const status = ran('2026-06-01T10:30:00Z');
    const later = new Date('2026-06-01T12:40:00Z');

    const names = [now, later].map((at) => planRun(situation(hourly, status, { now: at })).run?.id);

    expect(names).toEqual(['due-2026-06-01T11:00:00.000Z', 'due-2026-06-01T11:00:00.000Z']);
  });

  test('a failure that may pass is tried again before the next time', () => {
    const retryAt = new Date('2026-06-01T12:05:00Z');
    const status = ran('2026-06-01T12:00:30Z');
    const at = (time: string) => planRun(situation(hourly, status, { retryAt, now: new Date(time) }));

    expect(at('2026-06-01T12:01:00Z')).toEqual({ next: retryAt });
    expect(at('2026-06-01T12:05:00Z').run).toMatchObject({ cause: 'Retry' });
  });

  test('a last run in the future, by a clock that was wrong, does not stop the schedule', () => {
    expect(planRun(situation(hourly, ran('2031-01-01T00:00:00Z')))).toEqual({
      next: new Date('2026-06-01T13:00:00Z'),
    });
  });

  test('a schedule that is none says so', () => {
    expect(() =>
      planRun(situation({ mode: 'Scheduled', schedule: 'often' }, ran('2026-06-01T00:00:00Z'))),
    ).toThrow('spec.sync.schedule "often"');
  });
});

describe('Given mode Continuous', () => {
  const continuous = { mode: 'Continuous', dataIntervalSeconds: 600 };

  test('objects begin to be followed at once, volumes when they are due', () => {
    const recent = ran('2026-06-01T11:50:00Z', '2026-06-01T11:55:00Z');

    expect(planRun(situation(continuous, recent)).run).toMatchObject({ cause: 'Start', volumes: false });
    expect(planRun(situation(continuous, recent, { isFollowing: true }))).toEqual({
      next: new Date('2026-06-01T12:05:00Z'),
    });
    const old = ran('2026-06-01T11:40:00Z', '2026-06-01T11:50:00Z');
    expect(planRun(situation(continuous, old, { isFollowing: true })).run).toMatchObject({
      ...{ cause: 'Due', volumes: true },
    });
  });

  test('a schedule takes the place of the interval', () => {
    const spec = { ...continuous, schedule: '@daily' };

    expect(planRun(situation(spec, ran('2026-06-01T00:10:00Z'), { isFollowing: true }))).toEqual({
      next: new Date('2026-06-02T00:00:00Z'),
    });
  });

  test('with interval 0 volumes are synced first and when asked for', () => {
    const spec = { ...continuous, dataIntervalSeconds: 0 };

    expect(planRun(situation(spec)).run).toMatchObject({ cause: 'First', volumes: true });
    expect(planRun(situation(spec, ran('2026-01-01T00:00:00Z'), { isFollowing: true }))).toEqual({});
  });

  test('a start that failed waits before it is tried again', () => {
    const retryAt = new Date('2026-06-01T12:01:00Z');

    expect(planRun(situation(continuous, ran('2026-06-01T11:59:00Z'), { retryAt }))).toEqual({
      next: retryAt,
    });
  });
});
