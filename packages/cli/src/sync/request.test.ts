import { annotation } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { answerTo, newRequest, obstacleTo } from './request.js';

function replication(asked: string | undefined, status: object, spec: object = {}): KubeObject {
  return {
    ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
    metadata: {
      ...{ name: 'web', namespace: 'dr-syncer-system', uid: 'u', resourceVersion: '1' },
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(asked !== undefined && { annotations: { [annotation.syncNow]: asked } }),
    },
    spec: { destinationCluster: 'standby', sourceNamespace: 'shop', ...spec },
    status,
  };
}

const ours = { request: 'cli-1', before: 'earlier' };

describe('Given a sync that was asked for', () => {
  test.each<[string, KubeObject | undefined, object]>([
    [
      'nothing has happened',
      replication('cli-1', { phase: 'Completed', lastSyncRequest: 'earlier' }),
      { state: 'waiting' },
    ],
    ['it runs', replication('cli-1', { phase: 'Running', lastSyncRequest: 'earlier' }), { state: 'running' }],
    [
      'it is answered and the annotation still there',
      replication('cli-1', { phase: 'Completed', lastSyncRequest: 'cli-1' }),
      { state: 'ended', ok: true },
    ],
    [
      'it is answered and gone',
      replication(undefined, { phase: 'Failed', lastSyncRequest: 'cli-1' }),
      { state: 'ended', ok: false },
    ],
    [
      'an earlier request is answered meanwhile',
      replication('cli-1', { phase: 'Completed', lastSyncRequest: 'of-somebody' }),
      { state: 'waiting' },
    ],
    [
      'a later one took its place',
      replication('later', { phase: 'Running', lastSyncRequest: 'earlier' }),
      { state: 'running' },
    ],
    [
      'the later one is answered',
      replication(undefined, { phase: 'Completed', lastSyncRequest: 'later' }),
      { state: 'ended', ok: true },
    ],
    [
      'it was taken back',
      replication(undefined, { phase: 'Completed', lastSyncRequest: 'earlier' }),
      { state: 'ended', ok: false, reason: 'Withdrawn' },
    ],
    [
      'the Replication is paused',
      replication('cli-1', { phase: 'Paused' }, { paused: true }),
      { state: 'ended', ok: false, reason: 'Paused' },
    ],
    ['the Replication is gone', undefined, { state: 'ended', ok: false, reason: 'Deleted' }],
    [
      'the standby is active, so that nothing was synced',
      replication(undefined, { phase: 'Paused', lastSyncRequest: 'cli-1' }),
      { state: 'ended', ok: false },
    ],
  ])('When %s Then that is the answer', (_what, object, answer) => {
    expect(answerTo(ours, object)).toMatchObject(answer);
  });

  test('When it could never begin Then the cause is known before anything is written', () => {
    expect(obstacleTo(replication(undefined, {}, { paused: true }))).toContain('spec.paused');
    expect(() => obstacleTo(replication(undefined, {}, { sourceNamespace: 'kube-system' }))).toThrow(
      'system namespace',
    );
    expect(obstacleTo(replication(undefined, {}))).toBeUndefined();
  });

  test('When it is named Then the name says when, and fits what names may be', () => {
    expect(newRequest(new Date('2026-03-01T11:05:09.123Z'))).toMatch(/^cli-20260301T110509Z-[0-9a-f]{6}$/);
  });
});
