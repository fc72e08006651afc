import { gzipSync } from 'node:zlib';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeClient } from './client.js';
import type { KubeClientOptions } from './client-types.js';
import { eventually } from './testing/eventually.js';
import { failure } from './testing/failure.js';
import { FakeServer, sendEvents, sendJson, sendStatus } from './testing/fake-server.js';
import { keyOf, type KubeObject, type ObjectRef } from './types.js';
import { wellKnown } from './well-known.js';

const ref: ObjectRef = { resource: wellKnown.configMaps, namespace: 'shop', name: 'settings' };
const object: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'shop' },
};

let server: FakeServer;
let client: KubeClient;

function connect(options: KubeClientOptions = {}): KubeClient {
  return new KubeClient(server.access, options);
}

beforeEach(async () => {
  server = await FakeServer.start();
  client = connect();
});
afterEach(async () => {
  await client.close();
  await server.close();
});

describe('Given a list in pages', () => {
  const names = Array.from({ length: 25 }, (_, index) => `item-${index}`);

  function pageHandler(compressed = false) {
    return (query: URLSearchParams, response: ServerResponse): void => {
      const from = Number(query.get('continue') ?? 0);
      const limit = Number(query.get('limit'));
      const items = names
        .slice(from, from + limit)
        .map((name) => ({ metadata: { name, namespace: 'shop' } }));
      const next = from + limit < names.length ? String(from + limit) : '';
      const metadata = {
        resourceVersion: '77',
        continue: next,
        remainingItemCount: names.length - from - items.length,
      };
      const body = { kind: 'ConfigMapList', apiVersion: 'v1', metadata, items };
      if (!compressed) {
        sendJson(response, 200, body);
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.end(gzipSync(JSON.stringify(body)));
    };
  }

  test.each([false, true])(
    'When it is read (compressed: %s), Then all items come with kind and version',
    async (compressed) => {
      const answer = pageHandler(compressed);
      server.handler = ({ query }, response) => answer(query, response);
      const { items, resourceVersion } = await client.list(ref.resource, { limit: 10, labelSelector: 'a=b' });

      expect(items.map(keyOf)).toEqual(names.map((name) => `shop/${name}`));
      expect(items[3]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
      expect(resourceVersion).toBe('77');
      expect(server.requests.map(({ query }) => query.get('labelSelector'))).toEqual(['a=b', 'a=b', 'a=b']);
    },
  );

  test('When the continue token expires, Then the list begins anew with larger pages and has no item twice', async () => {
    const answer = pageHandler();
    let expired = false;
    server.handler = ({ query }, response) => {
      if (query.get('continue') === '10' && !expired) {
        expired = true;
        sendStatus(response, 410, 'Expired', { message: 'the continue token is too old' });
      } else answer(query, response);
    };
    expect((await client.list(ref.resource, { limit: 10 })).items.map((item) => item.metadata.name)).toEqual(
      names,
    );
    expect(server.requests.map(({ query }) => query.get('limit'))).toEqual(['10', '10', '100']);
  });

  test('When tokens keep expiring, Then it ends with that error', async () => {
    server.handler = ({ query }, response) => {
      if (query.has('continue')) sendStatus(response, 410, 'Expired');
      else sendJson(response, 200, { metadata: { resourceVersion: '1', continue: 'x' }, items: [] });
    };
    expect(await failure(client.list(ref.resource, { limit: 10 }))).toMatchObject({
      status: 410,
      reason: 'Expired',
    });
    expect(server.requests).toHaveLength(6);
  });

  test('When a page is too large, Then smaller ones are asked for', async () => {
    const answer = pageHandler();
    server.handler = ({ query }, response) => answer(query, response);
    const small = connect({ maxResponseBytes: 400 });
    expect((await small.list(ref.resource, { limit: 50 })).items).toHaveLength(25);
    expect(server.requests[1]?.query.get('limit')).toBe('5');
    await small.close();
  });

  test('When even one object is too large, Then it ends with that error', async () => {
    const answer = pageHandler();
    server.handler = ({ query }, response) => answer(query, response);
    const small = connect({ maxResponseBytes: 50 });
    expect(await failure(small.list(ref.resource, { limit: 50 }))).toMatchObject({
      reason: 'ResponseTooLarge',
    });
    await small.close();
  });

  test.each([
    ['no list', { kind: 'Pod', metadata: 5 }],
    ['items that are none', { metadata: {}, items: 'x' }],
  ])('When the answer is %s, Then it is refused', async (_name, body) => {
    server.handler = (_request, response) => sendJson(response, 200, body);
    expect(await failure(client.list(ref.resource))).toMatchObject({ reason: 'BadResponse' });
  });
});

describe('Given a watch', () => {
  const event = (type: string, name: string): { type: string; object: unknown } => ({
    type,
    object: { ...object, metadata: { ...object.metadata, name } },
  });

  async function collect(options = {}): Promise<string[]> {
    const seen: string[] = [];
    for await (const { type, object: one } of client.watch(ref.resource, options))
      seen.push(`${type} ${one.metadata.name}`);
    return seen;
  }

  test('When events come in pieces, Then each one is given once', async () => {
    server.handler = ({ query }, response) => {
      expect(Object.fromEntries(query)).toMatchObject({
        watch: '1',
        allowWatchBookmarks: 'true',
        resourceVersion: '5',
      });
      const text = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']
        .map((type) => `${JSON.stringify(event(type, 'ä'))}\n`)
        .join('');
      response.writeHead(200, { 'content-type': 'application/json' });
      const bytes = Buffer.from(text);
      let at = 0;
      const timer = setInterval(() => {
        response.write(bytes.subarray(at, (at += 37)));
        if (at < bytes.length) return;
        clearInterval(timer);
        response.end('\n{"cut');
      }, 1);
    };
    expect(await collect({ resourceVersion: '5' })).toEqual([
      'ADDED ä',
      'MODIFIED ä',
      'DELETED ä',
      'BOOKMARK ä',
    ]);
  });

  test.each<[string, (response: ServerResponse) => void, object]>([
    ['says 410 at once', (r) => sendStatus(r, 410, 'Expired'), { status: 410, reason: 'Expired' }],
    [
      'says 410 in the middle',
      (r) =>
        sendEvents(r, event('ADDED', 'a'), {
          type: 'ERROR',
          object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
        }),
      { status: 410, reason: 'Expired' },
    ],
    ['says something odd', (r) => sendEvents(r, { type: 'ERROR', object: {} }), { status: 500 }],
    [
      'sends rubbish',
      (r) => {
        sendEvents(r, event('ADDED', 'a'));
        r.write('must-not-leak\n');
      },
      { reason: 'BadResponse' },
    ],
    ['sends an unknown type', (r) => sendEvents(r, event('NEW', 'a')), { reason: 'BadResponse' }],
    ['sends no object', (r) => sendEvents(r, { type: 'ADDED', object: 5 }), { reason: 'BadResponse' }],
    [
      'resets',
      (r) => {
        sendEvents(r, event('ADDED', 'a'));
        setTimeout(() => server.reset(), 20);
      },
      { reason: 'ConnectionReset' },
    ],
    ['falls silent', (r) => sendEvents(r, event('ADDED', 'a')), { reason: 'Silent' }],
    ['never answers', () => undefined, { reason: 'Timeout' }],
  ])(
    'When the server %s, Then it ends with that and the connection is closed',
    async (_name, answer, expected) => {
      server.handler = (_request, response) => answer(response);
      expect(await failure(collect({ idleTimeoutMs: 200 }))).toMatchObject(expected);
      await eventually(() => client.openWatches === 0, 'it is counted as closed');
      await eventually(() => server.openConnections <= 1, 'the connection is closed');
    },
  );

  test('When the reader stops or cancels, Then the connection is closed', async () => {
    server.handler = (_request, response) => sendEvents(response, event('ADDED', 'a'));
    for await (const { type } of client.watch(ref.resource)) {
      expect(type).toBe('ADDED');
      break;
    }
    const abort = new AbortController();
    const cancelled = async () => {
      // Not before: a connection that is there and was never used is kept for the next call.
      for await (const { type } of client.watch(ref.resource, { signal: abort.signal })) {
        if (type === 'ADDED') abort.abort(new Error('enough'));
      }
    };
    await expect(cancelled()).rejects.toThrow('enough');
    await eventually(() => server.openConnections === 0 && client.openWatches === 0, 'all is closed');
  });

  test('When there are too many, Then the next one is refused and calls still work', async () => {
    server.handler = ({ query }, response) => {
      if (query.has('watch')) sendEvents(response, event('ADDED', 'a'));
      else sendJson(response, 200, object);
    };
    const bounded = connect({ maxWatches: 2, maxConnections: 1 });
    const open = [bounded.watch(ref.resource), bounded.watch(ref.resource)];
    await Promise.all(open.map((watch) => watch.next()));

    expect(await failure(bounded.watch(ref.resource).next())).toMatchObject({ reason: 'TooManyWatches' });
    expect(await bounded.get(ref)).toEqual(object);
    await Promise.all(open.map((watch) => watch.return()));
    await eventually(() => bounded.openWatches === 0, 'both are counted as closed');
    await bounded.close();
  });
});
