import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DrError } from '@dr-syncer/api';
import { KubeClient } from './client.js';
import { Reflector, type ReflectorOptions } from './reflector.js';
import { eventually } from './testing/eventually.js';
import { FakeCollection } from './testing/fake-collection.js';
import { FakeServer, sendEvents, sendStatus } from './testing/fake-server.js';
import type { KubeObject } from './types.js';
import { wellKnown } from './well-known.js';

let collection: FakeCollection;
let server: FakeServer;
let client: KubeClient;
let reflector: Reflector;
let log: string[];
let errors: DrError[];
const abort = new AbortController();

const valueOf = (object: KubeObject): string => (object['data'] as { value: string }).value;

function create(options: Partial<ReflectorOptions<KubeObject>> = {}): Reflector {
  reflector = new Reflector({
    client,
    resource: wellKnown.configMaps,
    namespace: 'shop',
    pageSize: 3,
    backoff: { minMs: 10, maxMs: 50 },
    onError: (err) => errors.push(err),
    ...options,
  });
  reflector.subscribe({
    added: (object) => log.push(`+${object.metadata.name}=${valueOf(object)}`),
    updated: (object, old) => log.push(`~${object.metadata.name}=${valueOf(old)}>${valueOf(object)}`),
    deleted: (object) => log.push(`-${object.metadata.name}`),
  });
  return reflector;
}

async function startSynced(options: Partial<ReflectorOptions<KubeObject>> = {}): Promise<void> {
  create(options).start(abort.signal);
  await reflector.synced;
  await eventually(() => collection.openWatches === 1, 'the watch is open');
  log = [];
}

const logged = (...lines: string[]) =>
  eventually(() => lines.every((line) => log.includes(line)), `${lines.join()} in ${log.join()}`);

beforeEach(async () => {
  log = [];
  errors = [];
  collection = new FakeCollection();
  server = await FakeServer.start(collection.handler);
  client = new KubeClient(server.access);
  for (let i = 0; i < 7; i += 1) collection.put(`a${i}`, 'v');
});
afterEach(async () => {
  await reflector.close();
  await client.close();
  await server.close();
});

describe('Given a collection', () => {
  test('When it is mirrored, Then all pages are there once, without managedFields', async () => {
    create().start(abort.signal);
    expect(reflector.isSynced).toBe(false);
    await reflector.synced;
    expect(log).toEqual(Array.from({ length: 7 }, (_, i) => `+a${i}=v`));
    expect(reflector.store.get('shop/a3')?.metadata).not.toHaveProperty('managedFields');
    expect(reflector.isSynced).toBe(true);
  });

  test('When objects change, Then the events come in order and the store follows', async () => {
    await startSynced();
    collection.put('b', '1');
    collection.put('b', '2');
    collection.delete('a0');
    collection.put('a0', 'again');
    await logged('+a0=again');
    expect(log).toEqual(['+b=1', '~b=1>2', '-a0', '+a0=again']);
    expect(reflector.store.size).toBe(8);
  });

  test('When someone subscribes later, Then what is there is reported as added, and nothing after unsubscribing', async () => {
    await startSynced();
    const late: string[] = [];
    const unsubscribe = reflector.subscribe({ added: (object) => late.push(object.metadata.name) });
    expect(late).toHaveLength(7);
    unsubscribe();
    collection.put('b', '1');
    await logged('+b=1');
    expect(late).toHaveLength(7);
  });

  test('When an index is declared, Then it follows', async () => {
    await startSynced({ indexers: { byValue: (object) => [valueOf(object)] } });
    collection.put('a1', 'w');
    collection.delete('a2');
    await logged('~a1=v>w', '-a2');
    expect(reflector.store.byIndex('byValue', 'v')).toHaveLength(5);
    expect(reflector.store.byIndex('byValue', 'w').map((object) => object.metadata.name)).toEqual(['a1']);
    expect(() => reflector.store.byIndex('other', 'v')).toThrow(TypeError);
  });

  test('When the transform leaves an object out, Then it is as if it were not there', async () => {
    await startSynced({ transform: (object) => (valueOf(object) === 'hidden' ? undefined : object) });
    collection.put('a1', 'hidden');
    collection.put('b', 'hidden');
    collection.put('c', 'v');
    await logged('+c=v');
    expect(log).toEqual(['-a1', '+c=v']);
  });
});

describe('Given handlers and functions that fail', () => {
  test('When a handler throws or rejects, Then it is reported and the others go on', async () => {
    await startSynced();
    reflector.subscribe({
      updated: () => {
        throw new Error('handler');
      },
      // eslint-disable-next-line @typescript-eslint/no-misused-promises -- what a careless caller would write
      deleted: () => Promise.reject(new Error('late')),
    });
    collection.put('a0', 'w');
    collection.delete('a1');
    await logged('~a0=v>w', '-a1');
    await eventually(() => errors.length >= 2, 'both are reported');
    expect(errors.map(({ message }) => message)).toEqual(['handler', 'late']);
  });

  test('When transform or indexer throws, Then only that object is left out', async () => {
    const fail = (object: KubeObject, value: string): KubeObject => {
      if (valueOf(object) === value) throw new Error(value);
      return object;
    };
    await startSynced({
      transform: (object) => fail(object, 'bad'),
      indexers: { any: (object) => [fail(object, 'worse').metadata.name] },
    });
    collection.put('b', 'bad');
    collection.put('c', 'worse');
    collection.put('d', 'good');
    await logged('+d=good');
    expect(log).toEqual(['+d=good']);
    expect(errors.map(({ message }) => message)).toEqual(['bad', 'worse']);
  });
});

describe('Given a watch that breaks', () => {
  test('When the server ends it, Then it resumes where it was, without a list', async () => {
    await startSynced();
    collection.endWatches();
    collection.put('b', '1');
    await logged('+b=1');
    expect(log).toEqual(['+b=1']);
    expect(collection.lists).toBe(1);
    expect(errors).toEqual([]);
  });

  test('When only bookmarks came, Then it resumes from the last one', async () => {
    await startSynced();
    collection.revision = 500;
    collection.bookmark();
    await eventually(() => reflector.lagSeconds() < 0.05, 'the bookmark is seen');
    collection.endWatches();
    await eventually(() => collection.watches === 2, 'the second watch');
    expect(server.requests.at(-1)?.query.get('resourceVersion')).toBe('500');
  });

  test('When connections are reset, Then it resumes and reports it', async () => {
    await startSynced();
    server.reset();
    collection.put('b', '1');
    await logged('+b=1');
    expect(errors[0]).toMatchObject({ code: 'RemoteUnreachable' });
    await eventually(() => reflector.lastError === undefined, 'the error is over');
  });

  test('When the peer falls silent, Then the watch is given up and resumed', async () => {
    await startSynced({ idleTimeoutMs: 100 });
    collection.intercept = ({ query }, response) => {
      if (!query.has('watch') || collection.watches >= 3) return false;
      collection.watches += 1;
      sendEvents(response);
      return true;
    };
    collection.endWatches();
    collection.put('b', '1');
    await logged('+b=1');
    expect(collection.lists).toBe(1);
    expect(errors).toEqual([]);
  });

  test.each([
    ['an HTTP status', (r: Parameters<FakeCollection['intercept']>[1]) => sendStatus(r, 410, 'Expired')],
    [
      'an event',
      (r: Parameters<FakeCollection['intercept']>[1]) =>
        sendEvents(r, { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }),
    ],
  ])('When 410 comes as %s, Then it lists again and notices what it missed', async (_name, answer) => {
    const samples: number[] = [];
    let goneAtList: boolean | undefined;
    await startSynced({ onList: ({ missedDeletions }) => samples.push(missedDeletions) });
    collection.intercept = ({ query }, response) => {
      if (!query.has('watch')) return false;
      collection.intercept = () => false;
      answer(response);
      return true;
    };
    const before = Number(reflector.resourceVersion);
    reflector.subscribe({ listed: () => (goneAtList = !reflector.store.has('shop/a0')) });
    collection.endWatches();
    collection.delete('a0');
    collection.put('a1', 'w');
    collection.put('b', '1');
    collection.delete('a2');
    collection.put('a2', 'new', 'another-uid');
    await logged('-a0', '~a1=v>w', '+b=1', '+a2=new');
    expect([...log].sort()).toEqual(['+a2=new', '+b=1', '-a0', '-a2', '~a1=v>w']);
    expect(samples).toEqual([0, 1]);
    expect(goneAtList).toBe(true);
    expect(Number(reflector.resourceVersion)).toBe(before + 5);
    expect(errors).toEqual([]);
  });

  test('When a line is rubbish, Then it lists again, for what that line said is lost', async () => {
    await startSynced();
    collection.sendLine('{"type":');
    await eventually(() => collection.lists === 2, 'the second list');
    expect(errors.map(({ code }) => code)).toEqual(['ApiServerUnavailable']);
  });

  test('When the server closes every watch at once, Then requests come slower and slower', async () => {
    collection.intercept = ({ query }, response) => {
      if (!query.has('watch')) return false;
      collection.watches += 1;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end();
      return true;
    };
    create({ backoff: { minMs: 50, maxMs: 10_000 } }).start(abort.signal);
    await reflector.synced;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // 50, 100, 200, 400 ms, each at least half of that.
    expect(collection.watches).toBeGreaterThan(2);
    expect(collection.watches).toBeLessThan(8);
  });
});

describe('Given a server that can not be asked', () => {
  test('When lists fail at first, Then it goes on trying, says why, and syncs', async () => {
    let failures = 3;
    collection.intercept = (_request, response) => {
      failures -= 1;
      if (failures >= 0)
        sendStatus(response, 403, 'Forbidden', { message: 'x: User "u" cannot list resource' });
      return failures >= 0;
    };
    create().start(abort.signal);
    await eventually(() => errors.length >= 1, 'the first error');
    expect(reflector.lastError).toMatchObject({ code: 'PermissionMissing' });
    await reflector.synced;
    expect(reflector.lastError).toBeUndefined();
  });

  test('When the type is gone for a while, Then nothing looks deleted', async () => {
    await startSynced({ idleTimeoutMs: 100 });
    collection.intercept = (_request, response) => {
      sendStatus(response, 404, 'NotFound');
      return true;
    };
    collection.endWatches();
    await eventually(() => errors.length >= 3, 'it was tried');
    expect(log).toEqual([]);
    expect(reflector.store.size).toBe(7);
    expect(reflector.lastError).toMatchObject({ code: 'ObjectNotFound' });
  });

  test('When the list breaks between pages, Then nothing looks deleted', async () => {
    await startSynced();
    collection.intercept = ({ query }, response) => {
      if (query.has('watch')) sendStatus(response, 410, 'Expired');
      else if (query.has('continue')) sendStatus(response, 403, 'Forbidden');
      else return false;
      return true;
    };
    collection.endWatches();
    await eventually(() => errors.length >= 2, 'it was tried');
    expect(log).toEqual([]);
    expect(reflector.store.size).toBe(7);
  });
});

describe('Given its life cycle', () => {
  test('When the relist is due, Then it lists again and reports nothing that was known', async () => {
    await startSynced({ relistMs: 100 });
    expect(Number(server.requests.at(-1)?.query.get('timeoutSeconds'))).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 130));
    collection.endWatches();
    await eventually(() => collection.lists === 2, 'the second list');
    await eventually(() => collection.openWatches === 1, 'the watch is open');
    expect(log).toEqual([]);
  });

  test('When it is closed before it is synced, Then waiting for it ends, and nothing is left open', async () => {
    collection.intercept = () => true;
    create().start(abort.signal);
    const synced = reflector.synced;
    await eventually(() => server.requests.length === 1, 'the list is asked for');
    await reflector.close();
    await expect(synced).rejects.toMatchObject({ code: 'Cancelled' });
    await client.close();
    await eventually(() => server.openConnections === 0, 'the connection is closed');
    expect(errors).toEqual([]);
  });

  test('When its signal aborts, Then the watch is closed', async () => {
    const own = new AbortController();
    create().start(own.signal);
    await reflector.synced;
    await eventually(() => collection.openWatches === 1, 'the watch is open');
    own.abort();
    await eventually(() => collection.openWatches === 0, 'the watch is closed');
    expect(() => reflector.start(own.signal)).toThrow('already');
  });

  test('When it is closed without having been started, Then that is all right', async () => {
    await create().close();
    await expect(reflector.synced).rejects.toMatchObject({ code: 'Cancelled' });
  });
});
