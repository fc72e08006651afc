import { type VolumeStatus, type ErrorCode, replicationSchema } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import type { Engine } from '../engine/index.js';
import { Tally } from '../engine/tally.js';
import { followingStatus } from './following.js';
import { outcomeOf } from './outcome.js';

/** An engine in which so many objects are well, and these have failed. */
function engineWith(
  synced: number,
  failures: readonly ErrorCode[] = [],
  { pending = 0, ...more }: Partial<Pick<Engine, 'halted' | 'pruning'>> & { pending?: number } = {},
): Engine {
  const tally = new Tally();
  const add = (name: string, code?: ErrorCode): void => {
    const item = { kind: 'ConfigMap', name, standing: 'pending' as const, failure: undefined };
    tally.add(item);
    tally.move(item, code ? 'failed' : 'synced', code && { code, message: `because of ${code}` });
  };
  for (let i = 0; i < synced; i += 1) add(`o${i}`);
  for (let i = 0; i < pending; i += 1) {
    tally.add({ kind: 'ConfigMap', name: `new${i}`, standing: 'pending', failure: undefined });
  }
  failures.forEach((code, i) => add(`bad${i}`, code));
  const surroundings = {
    type: 'ClusterResourcesReady',
    status: 'True',
    reason: 'Complete',
    message: 'All there.',
  };
  return { tally, halted: undefined, pruning: undefined, surroundings, ...more } as Engine;
}
const volume = (name: string, phase: VolumeStatus['phase'], reason?: string): VolumeStatus => ({
  ...{ name, phase },
  ...(reason !== undefined && { reason, message: `because of ${reason}` }),
});

describe('Given the end of a sync', () => {
  test('only when everything is there it is good', () => {
    expect(outcomeOf(engineWith(3), [volume('data', 'Succeeded')])).toMatchObject({
      ok: true,
      reason: 'Synced',
    });
    expect(outcomeOf(engineWith(3), [volume('data', 'Skipped')])).toMatchObject({ ok: false });
    expect(outcomeOf(engineWith(3, ['ObjectRejected']), [])).toMatchObject({ ok: false });
  });

  test.each<[string, ErrorCode[], VolumeStatus[], string, boolean]>([
    ['what may pass is tried again', ['WebhookUnavailable'], [], 'SyncIncomplete', true],
    ['what a person must do is not', ['WebhookDenied'], [], 'SyncIncomplete', false],
    [
      'a volume gives the reason',
      [],
      [volume('data', 'Failed', 'IdentityRefused')],
      'IdentityRefused',
      false,
    ],
    [
      'a volume that may pass too',
      [],
      [volume('data', 'Failed', 'AgentUnreachable')],
      'SyncIncomplete',
      true,
    ],
  ])('%s', (_title, failures, volumes, reason, retry) => {
    const result = outcomeOf(engineWith(1, failures), volumes);

    expect(result).toMatchObject({ ok: false, reason, retry });
    expect(result.message).toContain(`because of ${failures[0] ?? volumes[0]?.reason ?? ''}`);
  });

  test('an object that is not there yet is no failed one, and is tried again', () => {
    const result = outcomeOf(engineWith(2, [], { pending: 1 }), []);

    expect(result).toMatchObject({ ok: false, retry: true, message: '1 of 3 objects are not there yet' });
    expect(outcomeOf(engineWith(2, ['WebhookDenied'], { pending: 1 }), []).message).toBe(
      '1 of 4 objects failed, first ConfigMap/bad0: because of WebhookDenied; 1 of 4 objects are not there yet',
    );
  });

  test('a guard that holds is said, with the word to let go', () => {
    const { ok, message } = outcomeOf(engineWith(1, [], { pruning: { waiting: 30, token: 'abc' } }), []);

    expect(ok).toBe(true);
    expect(message).toContain('dr-syncer.io/confirm-prune=abc');
  });
});

describe('Given a standby that is followed', () => {
  const now = new Date('2026-06-01T12:00:00Z');
  const replication = (status: object) =>
    replicationSchema.parse({
      metadata: {
        ...{ name: 'r', namespace: 'n', uid: 'u', resourceVersion: '1', generation: 1 },
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      spec: { destinationCluster: 'c', sync: { mode: 'Continuous' } },
      status,
    });
  const well = engineWith(2);
  const written = followingStatus(replication({}), well, now)!;

  test('When nothing has changed Then nothing is written, for ten minutes', () => {
    const at = (time: string) => followingStatus(replication(written), well, new Date(time));

    expect(written).toMatchObject({ phase: 'Completed', objectsSyncedTime: now.toISOString() });
    expect(at('2026-06-01T12:09:00Z')).toBeUndefined();
    expect(at('2026-06-01T12:10:00Z')).toMatchObject({ objectsSyncedTime: '2026-06-01T12:10:00.000Z' });
  });

  test('When an object has just come Then it is counted, and what was said of the rest stays until it is there', () => {
    const coming = followingStatus(replication(written), engineWith(2, [], { pending: 1 }), now);

    expect(coming).toEqual({ ...written, syncStats: { ...written.syncStats, total: 3 } });
    expect(followingStatus(replication(coming!), engineWith(2, [], { pending: 1 }), now)).toBeUndefined();
    expect(followingStatus(replication(coming!), engineWith(3), now)).toMatchObject({
      ...{ phase: 'Completed', syncStats: { total: 3 } },
    });
  });

  test('When an object fails Then that is written, and the time stays that of the last good moment', () => {
    const later = followingStatus(
      ...([
        replication(written),
        engineWith(1, ['QuotaExceeded']),
        new Date('2026-06-01T12:01:00Z'),
      ] as const),
    );

    expect(later).toMatchObject({ phase: 'Failed', objectsSyncedTime: now.toISOString() });
    expect(later?.resourceStatus?.[0]?.failures?.[0]).toMatchObject({ reason: 'QuotaExceeded' });
  });
});
