import type { ReplicationStatus } from '@dr-syncer/api';
import { KubeError, type KubeClient, type KubeObject } from '@dr-syncer/kube';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { StatusWriter } from './status-writer.js';

const conflict = new KubeError('changed', { status: 409, reason: 'Conflict' });

describe('Given a status that changes all the time', () => {
  let object: KubeObject;
  let status: ReplicationStatus;
  /** When each write was made (ms), and what it wrote. */
  let writes: { at: number; status: unknown }[];
  let refusals: KubeError[];
  let writer: StatusWriter;

  /** A server, as far as a merge patch of a status needs one. */
  const client = {
    patch: (_ref: unknown, body: { status: object }) => {
      const refusal = refusals.pop();
      if (refusal !== undefined) return Promise.reject(refusal);
      writes.push({ at: performance.now(), status: body.status });
      object = { ...object, status: { ...(object['status'] as object), ...body.status } };
      return Promise.resolve(object);
    },
    get: () => Promise.resolve(object),
  } as unknown as KubeClient;

  beforeEach(() => {
    jest.useFakeTimers();
    object = {
      ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
      metadata: { name: 'r', namespace: 'n', uid: 'u', resourceVersion: '1' },
    };
    [status, writes, refusals] = [{ phase: 'Running' }, [], []];
    writer = new StatusWriter(client, object, () => status);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('When it changes a hundred times a second Then it is written once a second, with the last there is', async () => {
    for (let step = 1; step <= 500; step += 1) {
      status = { phase: 'Running', volumesSummary: `${step}/500` };
      writer.changed();
      await jest.advanceTimersByTimeAsync(10);
    }
    await jest.advanceTimersByTimeAsync(2_000);

    const gaps = writes.slice(1).map(({ at }, index) => at - (writes[index]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
    expect(writes.length).toBeLessThanOrEqual(7);
    expect(writes.at(-1)?.status).toMatchObject({ volumesSummary: '500/500' });
  });

  test('When it is said to have changed and has not Then nothing is written', async () => {
    await writer.flush();
    for (let step = 1; step <= 50; step += 1) {
      writer.changed();
      await jest.advanceTimersByTimeAsync(200);
    }
    await writer.flush();

    expect(writes).toHaveLength(1);
  });

  test('When somebody else writes at the same time Then it is written on top of that', async () => {
    refusals = [conflict, conflict];
    await writer.flush();

    expect(writes).toHaveLength(1);
  });

  test('When the object is gone Then that is no failure; when the server refuses, the end is told so', async () => {
    refusals = [new KubeError('gone', { status: 404, reason: 'NotFound' })];
    await writer.flush();
    refusals = [new KubeError('no', { status: 403, reason: 'Forbidden' })];
    await expect(writer.flush()).rejects.toThrow('no');

    expect(writes).toHaveLength(0);
  });
});
