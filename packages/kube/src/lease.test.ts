import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeClient } from './client.js';
import { type LeaseOptions, runAsLeader } from './lease.js';
import type { Lease } from './lease-record.js';
import { eventually } from './testing/eventually.js';
import { FakeObject } from './testing/fake-object.js';
import { FakeServer, sendStatus } from './testing/fake-server.js';

let store: FakeObject;
let server: FakeServer;
let client: KubeClient;
const aborts: AbortController[] = [];

interface Candidate {
  readonly running: Promise<unknown>;
  readonly abort: AbortController;
  readonly transitions: string[];
  leading: boolean;
  ended: number | undefined;
}

function candidate(identity: string, options: Partial<LeaseOptions> = {}): Candidate {
  const abort = new AbortController();
  aborts.push(abort);
  const transitions: string[] = [];
  const times = { leaseDurationMs: 2000, renewDeadlineMs: 1000, retryPeriodMs: 50 };
  const all = {
    client,
    namespace: 'n',
    name: 'l',
    identity,
    ...times,
    onTransition: (holder: string) => transitions.push(holder),
    ...options,
  };
  const self: { leading: boolean; ended: number | undefined } = { leading: false, ended: undefined };
  const running = runAsLeader(all, abort.signal, async (signal) => {
    self.leading = true;
    await delay(60_000, undefined, { signal }).catch(() => undefined);
    self.leading = false;
    self.ended = performance.now();
  }).catch((err: unknown) => err);
  return Object.assign(self, { running, abort, transitions });
}

const holder = (): string | undefined => (store.stored as Lease | undefined)?.spec?.holderIdentity;

beforeEach(async () => {
  store = new FakeObject();
  server = await FakeServer.start(store.handler);
  client = new KubeClient(server.access);
});
afterEach(async () => {
  for (const abort of aborts.splice(0)) abort.abort();
  await client.close();
  await server.close();
});

describe('Given a lease', () => {
  test('When several want it, Then one leads at a time, and gives it back at once when it is stopped', async () => {
    const all = ['a', 'b', 'c'].map((identity) => candidate(identity));
    const leaders = (): Candidate[] => all.filter(({ leading }) => leading);
    for (let turn = 0; turn < 3; turn += 1) {
      await eventually(() => leaders().length === 1, 'one leads');
      await delay(150);
      expect(leaders()).toHaveLength(1);
      const begun = performance.now();
      const [leader] = leaders();
      leader!.abort.abort();
      expect(await leader!.running).toBeUndefined();
      if (turn < 2) await eventually(() => leaders().length === 1, 'the next one leads');
      expect(performance.now() - begun).toBeLessThan(1000);
    }
    expect(holder()).toBe('');
    expect((store.stored as Lease).spec?.leaseTransitions).toBeGreaterThanOrEqual(2);
  });

  test('When it holds it, Then it renews without reading', async () => {
    const one = candidate('a');
    await eventually(() => store.writes >= 4, 'renewals');
    expect(one.leading).toBe(true);
    expect(server.requests.filter(({ method }) => method === 'GET')).toHaveLength(1);
    expect(one.transitions).toEqual(['a']);
  });

  test('When the server is gone, Then it stops leading before another may, and says so', async () => {
    const one = candidate('a');
    const errors: string[] = [];
    await eventually(() => one.leading && store.writes >= 2, 'a leads');
    store.intercept = () => true;
    const silentSince = performance.now();
    const other = candidate('b', { onError: ({ code }) => errors.push(code) });
    expect(await one.running).toMatchObject({ code: 'LeadershipLost' });
    expect(performance.now() - silentSince).toBeLessThan(1400);
    store.intercept = () => false;
    await eventually(() => other.leading, 'b leads');
    expect(performance.now() - silentSince).toBeGreaterThan(1900);
    expect(errors).toContain('Timeout');
    // The holder that has lost it must not give back what is another's now.
    expect(holder()).toBe('b');
  });

  test('When it is taken away, Then it stops at once', async () => {
    const one = candidate('a');
    await eventually(() => one.leading, 'a leads');
    const { stored } = store;
    const spec = { holderIdentity: 'x', leaseDurationSeconds: 15 };
    store.stored = { ...stored!, metadata: { ...stored!.metadata, resourceVersion: '1000' }, spec };
    expect(await one.running).toMatchObject({ code: 'LeadershipLost' });
    expect(one.transitions).toEqual(['a', 'x']);
    expect(holder()).toBe('x');
  });

  test('When a write got through though its answer did not, Then it goes on leading', async () => {
    const one = candidate('a');
    await eventually(() => one.leading, 'a leads');
    store.intercept = (request, response) => {
      if (request.method !== 'PUT') return false;
      store.intercept = () => false;
      const sent = JSON.parse(request.body) as Lease;
      store.stored = { ...sent, metadata: { ...sent.metadata, resourceVersion: '1000' } };
      sendStatus(response, 500, 'InternalError');
      return true;
    };
    const before = store.writes;
    await eventually(() => store.writes > before + 2, 'renewals go on');
    expect(one.leading).toBe(true);
  });

  test('When the work ends by itself or fails, Then the lease is given back', async () => {
    const times = { leaseDurationMs: 2000, renewDeadlineMs: 1000, retryPeriodMs: 50 };
    const options = { client, namespace: 'n', name: 'l', identity: 'a', ...times };
    await runAsLeader(options, new AbortController().signal, () => Promise.resolve());
    expect(holder()).toBe('');
    const failing = runAsLeader(options, new AbortController().signal, () =>
      Promise.reject(new Error('work')),
    );
    await expect(failing).rejects.toThrow('work');
    expect(holder()).toBe('');
  });

  test('When it is stopped while it waits, Then it leaves the lease alone', async () => {
    const one = candidate('a');
    await eventually(() => one.leading, 'a leads');
    const other = candidate('b');
    await delay(100);
    other.abort.abort(new Error('enough'));
    expect(await other.running).toMatchObject({ message: 'enough' });
    expect(holder()).toBe('a');
  });

  test('When the times make no sense, Then it is refused', async () => {
    expect(await candidate('a', { renewDeadlineMs: 2000 }).running).toBeInstanceOf(RangeError);
    expect(await candidate('a', { retryPeriodMs: 1000 }).running).toBeInstanceOf(RangeError);
  });
});
