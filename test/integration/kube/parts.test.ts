import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  EventRecorder,
  keyOf,
  KubeClient,
  type KubeObject,
  Reflector,
  runAsLeader,
  wellKnown,
} from '@dr-syncer/kube';
import { type Api, configMap, Proxy, startApi, until, widget, widgets } from './fixture.js';

let api: Api;
let client: KubeClient;

beforeAll(async () => {
  api = await startApi();
  ({ client } = api);
}, 300_000);
afterAll(() => api.close());

/** Repeatable, so that a failure can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

describe('Given a reflector behind a network that breaks', () => {
  test('When objects change all the time, Then it ends up with exactly what is there, and every event fits the one before', async () => {
    const proxy = await Proxy.start(api.access);
    const mirrored = new KubeClient(proxy.access);
    const reflector = new Reflector({
      client: mirrored,
      resource: wellKnown.configMaps,
      namespace: 'shop',
      pageSize: 10,
      backoff: { minMs: 20, maxMs: 200 },
    });
    const view = new Map<string, string>();
    const version = (object: KubeObject): string => object.metadata.resourceVersion ?? '';
    reflector.subscribe({
      added: (object) => {
        expect(view.has(keyOf(object))).toBe(false);
        view.set(keyOf(object), version(object));
      },
      updated: (object, old) => {
        expect(view.get(keyOf(object))).toBe(version(old));
        view.set(keyOf(object), version(object));
      },
      deleted: (object) => expect(view.delete(keyOf(object))).toBe(true),
    });
    const stop = new AbortController();
    reflector.start(stop.signal);
    await reflector.synced;

    const next = random(7);
    for (let step = 0; step < 400; step += 1) {
      const name = `item-${Math.floor(next() * 40)}`;
      const ref = { resource: wellKnown.configMaps, namespace: 'shop', name };
      if (next() < 0.3) await client.delete(ref).catch(() => undefined);
      else
        await client.apply(wellKnown.configMaps, configMap(name, { step: String(step) }), {
          fieldManager: 'test',
        });
      if (next() < 0.05) proxy.cut();
      if (next() < 0.02) {
        proxy.open = false;
        setTimeout(() => (proxy.open = true), 300);
      }
    }
    proxy.open = true;
    const truth = (await client.list(wellKnown.configMaps, { namespace: 'shop' })).items;
    await until(
      () =>
        reflector.store.size === truth.length &&
        truth.every((object) => view.get(keyOf(object)) === version(object)),
    );
    expect(view.size).toBe(truth.length);
    stop.abort();
    await reflector.close();
    await mirrored.close();
    await proxy.close();
  }, 60_000);

  test('When one object changes, Then it is seen within a fraction of a second', async () => {
    const reflector = new Reflector({ client, resource: widgets });
    const seen = new Map<string, number>();
    reflector.subscribe({ added: (object) => seen.set(object.metadata.name, performance.now()) });
    reflector.start(new AbortController().signal);
    await reflector.synced;
    await delay(200);
    const waits: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      const begun = performance.now();
      await client.create(widgets, widget(`seen-${i}`));
      await until(() => seen.has(`seen-${i}`));
      waits.push((seen.get(`seen-${i}`) ?? 0) - begun);
    }
    await reflector.close();
    expect(waits.sort((a, b) => a - b)[10]).toBeLessThan(150);
  }, 60_000);
});

describe('Given a lease on a real server', () => {
  test('When three want it, Then they lead one after the other', async () => {
    let leading = 0;
    const order: string[] = [];
    const options = {
      client,
      namespace: 'shop',
      name: 'election',
      leaseDurationMs: 3000,
      renewDeadlineMs: 2000,
      retryPeriodMs: 200,
    };
    await Promise.all(
      ['a', 'b', 'c'].map((identity) =>
        runAsLeader({ ...options, identity }, new AbortController().signal, async () => {
          expect(++leading).toBe(1);
          order.push(identity);
          await delay(700);
          leading -= 1;
        }),
      ),
    );
    expect([...order].sort()).toEqual(['a', 'b', 'c']);
    const lease = await client.get({ resource: wellKnown.leases, namespace: 'shop', name: 'election' });
    expect(lease['spec']).toMatchObject({ holderIdentity: '', leaseTransitions: 2 });
  }, 30_000);
});

describe('Given an event recorder on a real server', () => {
  test('When events repeat, Then the server has one of each, with the count', async () => {
    const errors: unknown[] = [];
    const recorder = new EventRecorder({
      client,
      controller: 'dr-syncer.io/controller',
      instance: 'test',
      onError: (err) => errors.push(err),
    });
    recorder.start(new AbortController().signal);
    const regarding = await client.create(widgets, widget('eventful'));
    const record = (message: string): void =>
      recorder.record({ regarding, type: 'Warning', reason: 'Broken', action: 'Syncing', message });
    record('ä'.repeat(3000));
    await until(async () => (await client.list(wellKnown.events, { namespace: 'shop' })).items.length === 1);
    record('ä'.repeat(3000));
    record('short');
    recorder.record({
      regarding: { apiVersion: 'v1', kind: 'Node', name: 'node-1' },
      type: 'Normal',
      reason: 'Seen',
      action: 'Looking',
      message: 'm',
    });
    await recorder.close();
    expect(errors).toEqual([]);
    const { items } = await client.list(wellKnown.events, { namespace: 'shop' });
    expect(
      items.map((event) => (event['series'] as { count: number } | undefined)?.count ?? 1).sort(),
    ).toEqual([1, 2]);
    expect((await client.list(wellKnown.events, { namespace: 'default' })).items).toHaveLength(1);
  }, 30_000);
});
