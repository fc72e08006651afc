import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Secret } from '@dr-syncer/api';
import { KubeClient } from './client.js';
import type { KubeClientOptions, RequestSample } from './client-types.js';
import type { ClusterAccess } from './cluster-access.js';
import { kubeToDrError } from './kube-error.js';
import { issueCertificate } from './testing/certificates.js';
import { eventually } from './testing/eventually.js';
import { failure } from './testing/failure.js';
import { FakeServer, sendJson, sendStatus } from './testing/fake-server.js';
import type { KubeObject, ObjectRef } from './types.js';
import { wellKnown } from './well-known.js';

const ref: ObjectRef = { resource: wellKnown.configMaps, namespace: 'shop', name: 'settings' };
const object: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'shop' },
};

let server: FakeServer;
let client: KubeClient;

function connect(options: KubeClientOptions = {}, access: Partial<ClusterAccess> = {}): KubeClient {
  return new KubeClient({ ...server.access, ...access }, options);
}

/** Fails `times` times with what `fail` does, then answers with the object. */
function failing(times: number, fail: (response: ServerResponse) => void): void {
  let left = times;
  server.handler = (_request, response) => {
    left -= 1;
    if (left >= 0) fail(response);
    else sendJson(response, 200, object);
  };
}

beforeEach(async () => {
  server = await FakeServer.start();
  client = connect();
});
afterEach(async () => {
  await client.close();
  await server.close();
});

describe('Given a server that answers', () => {
  test('When an object is read, Then unknown fields survive and the token is sent', async () => {
    const stored = { ...object, spec: { newField: { deep: [1, null, ''] } }, other: 1.5 };
    server.handler = (_request, response) => sendJson(response, 200, stored);

    expect(await client.get(ref)).toEqual(stored);
    expect(server.requests[0]).toMatchObject({
      method: 'GET',
      path: '/api/v1/namespaces/shop/configmaps/settings',
      headers: { authorization: 'Bearer a-token-that-must-not-leak', accept: 'application/json' },
    });
  });

  test.each<[string, (client: KubeClient) => Promise<unknown>, string, string, string | undefined]>([
    [
      'create',
      (c) => c.create(ref.resource, object, { fieldManager: 'm', dryRun: true }),
      'POST /api/v1/namespaces/shop/configmaps',
      'fieldManager=m&dryRun=All',
      'application/json',
    ],
    [
      'create a subresource',
      (c) => c.create(ref.resource, object, { subresource: 'x' }),
      'POST /api/v1/namespaces/shop/configmaps/settings/x',
      '',
      'application/json',
    ],
    [
      'replace',
      (c) => c.replace(ref.resource, object, { subresource: 'status' }),
      'PUT /api/v1/namespaces/shop/configmaps/settings/status',
      '',
      'application/json',
    ],
    [
      'apply',
      (c) => c.apply(ref.resource, object, { fieldManager: 'm', force: true }),
      'PATCH /api/v1/namespaces/shop/configmaps/settings',
      'force=true&fieldManager=m',
      'application/apply-patch+yaml',
    ],
    [
      'merge patch',
      (c) => c.patch(ref, {}, 'merge'),
      'PATCH /api/v1/namespaces/shop/configmaps/settings',
      '',
      'application/merge-patch+json',
    ],
    [
      'JSON patch',
      (c) => c.patch(ref, [], 'json'),
      'PATCH /api/v1/namespaces/shop/configmaps/settings',
      '',
      'application/json-patch+json',
    ],
    [
      'delete',
      (c) => c.delete(ref, { preconditions: { uid: 'u' } }),
      'DELETE /api/v1/namespaces/shop/configmaps/settings',
      '',
      'application/json',
    ],
    [
      'cluster-scoped',
      (c) => c.get({ resource: wellKnown.nodes, name: 'n1' }),
      'GET /api/v1/nodes/n1',
      '',
      undefined,
    ],
    [
      'grouped',
      (c) => c.get({ resource: wellKnown.deployments, namespace: 'a', name: 'b' }),
      'GET /apis/apps/v1/namespaces/a/deployments/b',
      '',
      undefined,
    ],
  ])(
    'When asked to %s, Then method, path, query and type are right',
    async (_name, call, line, query, type) => {
      server.handler = (_request, response) => sendJson(response, 200, object);
      await call(client);
      const [seen] = server.requests;
      expect(`${seen?.method} ${seen?.path}`).toBe(line);
      expect(seen?.query.toString()).toBe(query);
      expect(seen?.headers['content-type']).toBe(type);
    },
  );

  test.each([
    ['a walk upwards', { ...ref, name: '..' }],
    ['a slash', { ...ref, name: 'a/status' }],
    ['a percent sign', { ...ref, name: '%2e%2e' }],
    ['an empty name', { ...ref, name: '' }],
    ['a namespace that walks', { ...ref, namespace: '../..' }],
    ['no namespace', { resource: ref.resource, name: 'x' }],
    ['a namespace for a node', { resource: wellKnown.nodes, namespace: 'x', name: 'x' }],
  ])('When the address has %s, Then nothing is sent', async (_name, bad) => {
    await expect(client.get(bad)).rejects.toThrow(TypeError);
    expect(server.requests).toHaveLength(0);
  });

  test('When a server name is pinned, Then it is what the certificate must hold', async () => {
    server.handler = (_request, response) => sendJson(response, 200, object);
    const pinned = connect({}, { tlsServerName: 'api.test' });
    const wrong = connect({}, { tlsServerName: 'other.test' });

    expect(await pinned.get(ref)).toEqual(object);
    expect(await failure(wrong.get(ref))).toMatchObject({ status: 0, reason: 'TlsFailed' });
    await Promise.all([pinned.close(), wrong.close()]);
  });

  test('When 200 calls are made in sequence, Then one connection serves them all', async () => {
    server.handler = (_request, response) => sendJson(response, 200, object);
    for (let i = 0; i < 200; i += 1) await client.get(ref);
    expect(server.connections).toBe(1);
  });

  test('When 300 calls are made at once, Then no more connections than allowed are opened', async () => {
    server.handler = (_request, response) => sendJson(response, 200, object);
    const bounded = connect({ maxConnections: 5 });
    await Promise.all(Array.from({ length: 300 }, () => bounded.get(ref)));
    expect(server.connections).toBe(5);
    await bounded.close();
  });

  test('When a call ends, Then a sample is given, also if the observer throws', async () => {
    const samples: RequestSample[] = [];
    const observed = connect({
      onRequest: (sample) => {
        samples.push(sample);
        throw new Error('observer');
      },
    });
    await observed.find(ref);
    expect(samples).toEqual([
      { verb: 'get', resource: 'configmaps', status: 404, seconds: expect.any(Number) },
    ]);
    await observed.close();
  });
});

describe('Given a server that fails for a while', () => {
  const unavailable = (response: ServerResponse): void => sendStatus(response, 503, 'ServiceUnavailable');
  const busy = (response: ServerResponse): void =>
    sendStatus(response, 429, 'TooManyRequests', { headers: { 'retry-after': '1' } });
  const reset = (response: ServerResponse): void => void response.socket?.destroy();

  test.each<
    [string, number, (response: ServerResponse) => void, (client: KubeClient) => Promise<unknown>, boolean]
  >([
    ['503, read', 2, unavailable, (c) => c.get(ref), true],
    ['503, apply', 2, unavailable, (c) => c.apply(ref.resource, object, { fieldManager: 'm' }), true],
    ['503, merge patch', 1, unavailable, (c) => c.patch(ref, {}, 'merge'), true],
    ['503, JSON patch', 1, unavailable, (c) => c.patch(ref, [], 'json'), false],
    ['503, create', 1, unavailable, (c) => c.create(ref.resource, object), false],
    ['503 for long', 9, unavailable, (c) => c.get(ref), false],
    ['429 with Retry-After, create', 1, busy, (c) => c.create(ref.resource, object), true],
    [
      '429 without, create',
      1,
      (r) => sendStatus(r, 429, 'TooManyRequests'),
      (c) => c.create(ref.resource, object),
      false,
    ],
    ['reset, read', 1, reset, (c) => c.get(ref), true],
    ['reset, create', 1, reset, (c) => c.create(ref.resource, object), false],
    ['409', 1, (r) => sendStatus(r, 409, 'Conflict'), (c) => c.replace(ref.resource, object), false],
  ])(
    'When it is "%s" %d times, Then only what is safe is repeated',
    async (_name, times, fail, call, recovers) => {
      failing(times, fail);
      if (recovers) await call(client);
      else await failure(call(client));
      expect(server.requests).toHaveLength(recovers ? times + 1 : Math.min(times, 4));
    },
  );

  test('When Retry-After is longer than the call may take, Then its error comes at once', async () => {
    failing(1, (response) =>
      sendStatus(response, 429, 'TooManyRequests', { headers: { 'retry-after': '20' } }),
    );
    const begun = performance.now();
    expect(await failure(client.get(ref))).toMatchObject({ status: 429, retryAfterSeconds: 20 });
    expect(performance.now() - begun).toBeLessThan(500);
  });

  test('When it says 401 and the token can be read anew, Then it is tried once more with that', async () => {
    const tokens = ['old', 'new', 'newer'].map((text) => new Secret(text));
    let reads = 0;
    const token = {
      current: ({ refresh = false } = {}) => Promise.resolve(tokens[refresh ? ++reads : reads]!),
    };
    server.handler = ({ headers }, response) => {
      if (headers.authorization === 'Bearer new') sendJson(response, 200, object);
      else sendStatus(response, 401, 'Unauthorized');
    };
    const renewing = connect({}, { token });
    expect(await renewing.get(ref)).toEqual(object);
    server.handler = (_request, response) => sendStatus(response, 401, 'Unauthorized');
    expect(await failure(renewing.get(ref))).toMatchObject({ status: 401 });
    expect(server.requests).toHaveLength(4);
    await renewing.close();
  });

  test('When it is silent, Then the call ends at its timeout, or when it is cancelled', async () => {
    server.handler = () => undefined;
    expect(await failure(client.get(ref, { timeoutMs: 50 }))).toMatchObject({ reason: 'Timeout' });

    const abort = new AbortController();
    const call = client.get(ref, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });

  test('When it is silent in the middle of a body, Then the call ends at its timeout', async () => {
    server.handler = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"kind":');
    };
    expect(await failure(client.get(ref, { timeoutMs: 50 }))).toMatchObject({ reason: 'Timeout' });
  });
});

describe('Given a server that can not be trusted or reached', () => {
  test.each<[string, () => Partial<ClusterAccess>, string, RegExp]>([
    [
      'nobody listens',
      () => ({ server: 'https://127.0.0.1:1' }),
      'ConnectionFailed',
      /connection refused \(ECONNREFUSED\)/,
    ],
    [
      'the name is unknown',
      () => ({ server: 'https://no-such-host.invalid' }),
      'ConnectionFailed',
      /\((ENOTFOUND|EAI_AGAIN)\)/,
    ],
    [
      'the authority is another',
      () => ({ ca: issueCertificate({ commonName: 'test authority', authority: true }).cert }),
      'TlsFailed',
      /certificate/,
    ],
    ["the authority is the system's", () => ({ ca: undefined as never }), 'TlsFailed', /certificate/],
  ])('When %s, Then the error says so in words', async (_name, access, reason, message) => {
    const { ca, ...rest } = { ...server.access, ...access() };
    const other = new KubeClient(ca === undefined ? rest : { ...rest, ca });
    const err = await failure(other.get(ref, { timeoutMs: 3000 }));
    expect(err).toMatchObject({ status: 0, reason, message: expect.stringMatching(message) });
    expect(err.message).toContain('get configmaps shop/settings');
    expect(kubeToDrError(err).code).toBe('RemoteUnreachable');
    expect(server.requests).toHaveLength(0);
    await other.close();
  });

  test('When it redirects, Then it is not followed', async () => {
    server.handler = (_request, response) => {
      response.writeHead(302, { location: `${server.access.server}/elsewhere` });
      response.end();
    };
    expect(await failure(client.get(ref))).toMatchObject({ status: 302 });
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    ['HTML', 'text/html', '<html>must-not-leak</html>'],
    ['broken JSON', 'application/json', '{"must-not-leak'],
    ['JSON of another kind', 'application/json', '{"must-not-leak":"must-not-leak"}'],
  ])('When it answers %s, Then nothing of that is in the error', async (_name, type, text) => {
    for (const status of [200, 403, 502]) {
      server.handler = (_request, response) => {
        response.writeHead(status, { 'content-type': type });
        response.end(text);
      };
      const err = await failure(client.get(ref, { timeoutMs: 200 }));
      expect(err.message).toMatch(/^get configmaps shop\/settings: (HTTP \d+|the response is .*)$/);
    }
  });

  test('When the client is closed during a call, Then the call fails', async () => {
    server.handler = () => undefined;
    const other = connect();
    const call = failure(other.patch(ref, [], 'json'));
    await eventually(() => server.requests.length === 1, 'the request arrives');
    await other.close();
    expect(await call).toMatchObject({
      status: 0,
      reason: expect.stringMatching(/^(Closed|ConnectionReset)$/),
    });
    await eventually(() => server.openConnections === 0, 'its connections are closed');
  });
});
