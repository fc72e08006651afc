import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { replicationView } from './view.js';

const now = new Date('2026-03-01T12:00:00Z');

function replication(spec: object, status: object = {}): KubeObject {
  return {
    ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
    metadata: {
      ...{ name: 'web', namespace: 'dr-syncer-system', uid: 'u', resourceVersion: '1', generation: 1 },
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { destinationCluster: 'standby', sourceNamespace: 'shop', ...spec },
    status,
  };
}

const ready = (status: string, reason: string) => ({
  ...{ type: 'Ready', status, reason, message: 'why' },
  lastTransitionTime: '2026-03-01T11:00:00Z',
});

describe('Given a Replication', () => {
  test('When it has synced Then places, age of the standby, counts and the next run are shown', () => {
    const view = replicationView(
      replication(
        { sync: { mode: 'Scheduled', schedule: '*/10 * * * *' }, destinationNamespace: 'shop-dr' },
        {
          ...{ phase: 'Completed', lastSuccessTime: '2026-03-01T11:55:00Z' },
          ...{ nextSyncTime: '2026-03-01T12:05:00Z', volumesSummary: '1/2' },
          syncStats: { total: 12, applied: 3, unchanged: 8, failed: 1, skipped: 0 },
          volumes: [
            { name: 'data', phase: 'Succeeded' },
            { name: 'logs', phase: 'Failed' },
          ],
          conditions: [ready('True', 'Synced')],
        },
      ),
      now,
    );

    expect(view).toEqual({
      ...{ replication: 'dr-syncer-system/web', remoteCluster: 'dr-syncer-system/standby' },
      ...{ sourceNamespace: 'shop', destinationNamespace: 'shop-dr', mode: 'Scheduled', phase: 'Completed' },
      ...{ stateOf: '2026-03-01T11:55:00Z', rpoSeconds: 300, nextSync: '2026-03-01T12:05:00Z' },
      ...{ objects: { total: 12, failed: 1 }, volumes: { total: 2, done: 1, failed: 1 }, running: [] },
    });
  });

  test('When nothing has ever succeeded Then no age is claimed', () => {
    const view = replicationView(
      replication({}, { phase: 'Failed', conditions: [ready('False', 'X')] }),
      now,
    );

    expect(view).not.toHaveProperty('rpoSeconds');
    expect(view).toMatchObject({ phase: 'Failed', reason: 'X', message: 'why' });
  });

  test.each([
    ['it is', {}, 'Failed', 3600],
    ['it runs', {}, 'Running', undefined],
    ['it is paused', { paused: true }, 'Paused', undefined],
  ])('When the next run is an hour past and %s Then overdue is right', (_what, spec, phase, overdue) => {
    const status = { phase, nextSyncTime: '2026-03-01T11:00:00Z' };

    expect(replicationView(replication(spec, status), now).overdueSeconds).toBe(overdue);
  });

  test('When it asks for what is not allowed Then what it asks for is shown all the same', () => {
    expect(replicationView(replication({ sourceNamespace: 'kube-system' }), now)).toMatchObject({
      ...{ remoteCluster: 'standby', sourceNamespace: 'kube-system', destinationNamespace: 'kube-system' },
    });
  });

  test('When it is of another schema Then it is listed as unreadable', () => {
    expect(replicationView(replication({ destinationCluster: 7 }), now)).toMatchObject({
      ...{ phase: 'Unknown', reason: 'Unreadable' },
      message: expect.stringContaining('destinationCluster') as unknown,
    });
  });
});
