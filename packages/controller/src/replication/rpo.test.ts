import { replicationSchema } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { rpoTargetSeconds } from './rpo.js';

const HOUR = 3600;

const replication = (sync: object, status: object = {}, more: object = {}) =>
  replicationSchema.parse({
    metadata: {
      ...{ name: 'a', namespace: 'n', uid: 'u', resourceVersion: '1' },
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { destinationCluster: 'c', sync, ...more },
    status,
  });
const scheduled = (schedule: string) => ({ mode: 'Scheduled', schedule });

describe('Given a Replication', () => {
  test.each<[string, ReturnType<typeof replication>, number | undefined]>([
    ['by hand', replication({ mode: 'Manual' }), undefined],
    ['paused', replication(scheduled('0 * * * *'), {}, { paused: true }), undefined],
    ['a schedule that is none', replication(scheduled('often')), undefined],
    ['a schedule, nothing done yet', replication(scheduled('*/15 * * * *')), 900],
    [
      'a schedule, done on time',
      replication(scheduled('0 * * * *'), { lastSuccessTime: '2026-01-01T05:00:01Z' }),
      HOUR,
    ],
    [
      'a schedule, done by hand a minute before it is due',
      replication(scheduled('0 * * * *'), { lastSuccessTime: '2026-01-01T05:59:00Z' }),
      HOUR,
    ],
    [
      'working days, done on Friday',
      replication(scheduled('0 2 * * 1-5'), { lastSuccessTime: '2026-01-02T02:00:00Z' }),
      72 * HOUR,
    ],
    [
      'working days, done on Monday',
      replication(scheduled('0 2 * * 1-5'), { lastSuccessTime: '2026-01-05T02:00:00Z' }),
      24 * HOUR,
    ],
    ['continuous', replication({ mode: 'Continuous' }), 300],
    [
      'continuous, volumes when asked for',
      replication({ mode: 'Continuous', dataIntervalSeconds: 0 }),
      undefined,
    ],
    [
      'continuous, syncs that take ten minutes',
      replication(
        { mode: 'Continuous', dataIntervalSeconds: 60 },
        { lastRunTime: '2026-01-01T05:00:00Z', lastSyncTime: '2026-01-01T05:10:00Z' },
      ),
      660,
    ],
  ])('When it is %s Then its standby is to be no older than that', (_name, one, expected) => {
    expect(rpoTargetSeconds(one)).toBe(expected);
  });
});
