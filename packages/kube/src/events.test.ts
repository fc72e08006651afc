import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DrError } from '@dr-syncer/api';
import { KubeClient } from './client.js';
import { EventRecorder } from './events.js';
import { eventually } from './testing/eventually.js';
import { FakeServer, sendJson, sendStatus } from './testing/fake-server.js';

let server: FakeServer;
let client: KubeClient;
let recorder: EventRecorder;
let dropped: number;
let errors: DrError[];

const regarding = { apiVersion: 'v1', kind: 'Pod', name: 'p', namespace: 'shop', uid: 'u' };

function record(message: string, name = 'p'): void {
  recorder.record({
    regarding: { ...regarding, name },
    type: 'Warning',
    reason: 'Broken',
    action: 'Syncing',
    message,
  });
}

const bodies = (method: string): unknown[] =>
  server.requests
    .filter((request) => request.method === method)
    .map(({ body }) => JSON.parse(body) as unknown);

beforeEach(async () => {
  [dropped, errors] = [0, []];
  server = await FakeServer.start((_request, response) =>
    sendJson(response, 201, { apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name: 'e' } }),
  );
  client = new KubeClient(server.access);
  recorder = new EventRecorder({
    ...{ client, controller: 'dr-syncer.io/controller', instance: 'pod-1' },
    onDropped: (count) => (dropped += count),
    onError: (err) => errors.push(err),
  });
});
afterEach(async () => {
  await recorder.close();
  await client.close();
  await server.close();
}, 10_000);

describe('Given a recorder', () => {
  test('When an event comes once, Then it is written once, without a series', async () => {
    recorder.start(new AbortController().signal);
    record('a');
    await eventually(() => server.requests.length === 1, 'it is written');
    expect(server.requests[0]).toMatchObject({
      method: 'POST',
      path: '/apis/events.k8s.io/v1/namespaces/shop/events',
    });
    expect(bodies('POST')[0]).not.toHaveProperty('series');
  });

  test('When it is repeated, Then the count is written into the first one, once', async () => {
    recorder.start(new AbortController().signal);
    record('a');
    await eventually(() => server.requests.length === 1, 'it is written');
    for (let i = 0; i < 50; i += 1) record('a');
    await delay(50);
    expect(server.requests).toHaveLength(1);
    await recorder.close();
    expect(bodies('PATCH')).toEqual([{ series: { count: 51, lastObservedTime: expect.any(String) } }]);
    expect(dropped).toBe(0);
  });

  test('When events came before the start, Then they are written then; when it never starts, at the close', async () => {
    record('a');
    record('a');
    record('b');
    await recorder.close();
    expect(bodies('POST')).toMatchObject([{ note: 'a', series: { count: 2 } }, { note: 'b' }]);
  });

  test('When one object floods, Then others are not kept from being heard', async () => {
    for (let i = 0; i < 5000; i += 1) record(`message ${i}`);
    record('quiet', 'other');
    expect(dropped).toBe(5000 - 25);
    await recorder.close();
    expect(bodies('POST')).toHaveLength(26);
  });

  test('When all objects flood, Then what waits is bounded', () => {
    for (let i = 0; i < 5000; i += 1) record('m', `object-${i}`);
    expect(dropped).toBe(5000 - 1024);
    server.handler = (_request, response) => sendStatus(response, 403, 'Forbidden');
  });

  test.each([
    ['refuses', 403, 1],
    ['fails', 500, 1],
  ])('When the server %s, Then nothing throws and what is lost is counted', async (_name, status, least) => {
    server.handler = (_request, response) => sendStatus(response, status, 'X');
    recorder.start(new AbortController().signal);
    record('a');
    await eventually(() => errors.length >= least, 'the error is reported');
    if (status === 403) expect(dropped).toBe(1);
  });

  test('When the input is nonsense, Then nothing throws', () => {
    expect(() => recorder.record({} as never)).not.toThrow();
  });

  test('When the server is silent, Then closing ends in about five seconds', async () => {
    server.handler = () => undefined;
    for (let i = 0; i < 10; i += 1) record(`m${i}`);
    const begun = performance.now();
    await recorder.close();
    expect(performance.now() - begun).toBeLessThan(6000);
  }, 10_000);

  test('When it is written at a rate, Then it keeps to the burst', async () => {
    recorder.start(new AbortController().signal);
    for (let i = 0; i < 60; i += 1) record('m', `object-${i}`);
    await delay(400);
    expect(server.requests.length).toBeGreaterThanOrEqual(25);
    expect(server.requests.length).toBeLessThan(30);
  });
});
