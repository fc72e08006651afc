import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { DrError } from '@dr-syncer/api';
import type { ServerChannel } from 'ssh2';
import { generateHostKey, generateRsaKey, parsePrivateKey, type PrivateKey } from '../keys.js';
import { startTestServer, type TestServer, type TestServerOptions } from '../testing/test-server.js';
import { connectControl, type ControlTarget } from './client.js';
import { Peer } from './peer.js';

let clientKey: PrivateKey;
let ed25519Host: PrivateKey;
let rsaHost: PrivateKey;
let server: TestServer | undefined;
let execs: string[] = [];

beforeAll(async () => {
  clientKey = await generateRsaKey(3072, 'controller');
  ed25519Host = await generateHostKey('ed25519');
  rsaHost = await generateHostKey('rsa');
});
afterEach(async () => {
  await server?.close();
  server = undefined;
});

function serve(channel: ServerChannel, command: string): void {
  execs.push(command);
  new Peer(channel).handle({ 'grants.close': ({ id }) => ({ closed: id === 'x' }) });
}

async function start(options: Partial<TestServerOptions> = {}): Promise<ControlTarget> {
  execs = [];
  server = await startTestServer({
    hostKeys: [ed25519Host, rsaHost],
    clientKey: clientKey.blob,
    onExec: serve,
    ...options,
  });
  return {
    host: '127.0.0.1',
    port: server.port,
    privateKey: clientKey,
    hostKeys: [ed25519Host.publicLine],
    timeoutMs: 5000,
  };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (err) {
    return err instanceof DrError ? err.code : `untyped ${String(err)}`;
  }
}

describe('Given an agent', () => {
  test('When the controller logs in Then it speaks the control protocol with SHA-2 signatures', async () => {
    const connection = await connectControl(await start());
    expect(await connection.peer.request('grants.close', { id: 'x' })).toEqual({ closed: true });
    expect(connection.hostKeyFingerprint).toBe(ed25519Host.fingerprint);
    expect(server?.logins).toEqual(['ssh-rsa sha256']);
    expect(execs).toEqual(['dr-syncer-control']);
    connection.close();
    connection.close();
    expect(await connection.closed).toEqual({});
  });

  test('When only the RSA host key is pinned Then that one is asked for', async () => {
    const connection = await connectControl({ ...(await start()), hostKeys: [rsaHost.publicLine] });
    expect(connection.hostKeyFingerprint).toBe(rsaHost.fingerprint);
    connection.close();
    await connection.closed;
  });

  test('When old and new host keys are pinned Then either will do', async () => {
    const next = await generateHostKey('ed25519');
    const connection = await connectControl({
      ...(await start()),
      hostKeys: [next.publicLine, ed25519Host.publicLine],
    });
    connection.close();
    await connection.closed;
  });

  test('When it answers on a connection made elsewhere Then that one is used', async () => {
    const target = await start();
    const connection = await connectControl({
      ...target,
      port: 1,
      socket: connect(target.port, '127.0.0.1'),
    });
    expect(await connection.peer.request('grants.close', { id: 'y' })).toEqual({ closed: false });
    connection.close();
    await connection.closed;
  });

  test('When it goes away Then the connection ends and says why', async () => {
    const connection = await connectControl(await start());
    const asked = codeOf(connection.peer.request('transfers.watch', { id: 'x' }, { timeoutMs: 0 }));
    for (const each of server?.connections ?? []) each.end();
    await connection.closed;
    expect(['AgentUnreachable', 'BadRequest']).toContain(await asked);
    expect(await codeOf(connection.peer.request('hello', {}))).toBe('AgentUnreachable');
  });
});

describe('Given an agent that is not as it should be', () => {
  test('When its host key is not pinned Then nothing is tried', async () => {
    const other = await generateHostKey('ed25519');
    const target = { ...(await start()), hostKeys: [other.publicLine] };
    await expect(connectControl(target)).rejects.toMatchObject({
      code: 'HostKeyMismatch',
      message: expect.stringContaining(ed25519Host.fingerprint),
    });
    expect(server?.logins).toEqual([]);
  });

  test('When it has no host key of a pinned type Then it is a mismatch too', async () => {
    const target = { ...(await start({ hostKeys: [rsaHost] })) };
    expect(await codeOf(connectControl(target))).toBe('HostKeyMismatch');
  });

  test('When it does not know the key Then that is said', async () => {
    const target = await start({ clientKey: ed25519Host.blob });
    await expect(connectControl(target)).rejects.toMatchObject({
      code: 'AgentRefusedKey',
      message: expect.stringContaining(clientKey.fingerprint),
    });
  });

  test('When it refuses the command Then that is said', async () => {
    expect(await codeOf(connectControl(await start({ refuseExec: true })))).toBe('AgentRefusedKey');
  });

  test('When it says goodbye with the login Then it is not reached', async () => {
    const target = await start({ endAtLogin: true });
    for (let i = 0; i < 10; i += 1) expect(await codeOf(connectControl(target))).toBe('AgentUnreachable');
  });

  test('When it speaks nonsense on the channel Then requests fail', async () => {
    const target = await start({ onExec: (channel) => channel.write('Welcome!\n') });
    const connection = await connectControl(target);
    expect(await codeOf(connection.peer.request('hello', {}))).toBe('BadRequest');
    expect((await connection.closed).error?.code).toBe('BadRequest');
  });

  test('When pins are missing or broken Then nothing is tried', async () => {
    const target = await start();
    expect(await codeOf(connectControl({ ...target, hostKeys: [] }))).toBe('BadRequest');
    expect(await codeOf(connectControl({ ...target, hostKeys: ['ssh-ed25519 AAAA'] }))).toBe('BadRequest');
    expect(server?.connections.size).toBe(0);
  });
});

describe('Given something else at the address', () => {
  let other: Server | undefined;
  afterEach(() => {
    other?.close();
  });

  async function listen(onConnection: (text: string) => string | undefined): Promise<number> {
    other = createServer((socket) => {
      socket.on('error', () => undefined).resume();
      const greeting = onConnection('');
      if (greeting === undefined) socket.destroy();
      else socket.write(greeting);
    });
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    return (other.address() as AddressInfo).port;
  }

  function target(port: number): ControlTarget {
    const hostKeys = [ed25519Host.publicLine];
    return { host: '127.0.0.1', port, privateKey: clientKey, hostKeys, timeoutMs: 200 };
  }

  test.each([
    ['says nothing', ''],
    ['is not SSH', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['is SSH and then silent', 'SSH-2.0-x\r\n'],
    ['is SSH and then garbage', `SSH-2.0-x\r\n${'\xff'.repeat(500)}`],
    ['hangs up', undefined],
  ])('When it %s Then the agent is unreachable, in time', async (_, greeting) => {
    const started = performance.now();
    expect(await codeOf(connectControl(target(await listen(() => greeting))))).toBe('AgentUnreachable');
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('When nobody listens Then the agent is unreachable', async () => {
    const port = await listen(() => '');
    other?.close();
    await once(other!, 'close');
    expect(await codeOf(connectControl(target(port)))).toBe('AgentUnreachable');
  });

  test('When the caller aborts Then it is cancelled', async () => {
    const abort = new AbortController();
    const attempt = codeOf(
      connectControl({ ...target(await listen(() => '')), signal: abort.signal, timeoutMs: 9000 }),
    );
    abort.abort();
    expect(await attempt).toBe('Cancelled');
    expect(await codeOf(connectControl({ ...target(1), signal: abort.signal }))).toBe('Cancelled');
  });
});

describe('Given a key for signing', () => {
  test('When SHA-1 is asked for Then it does not sign', async () => {
    const { signingKeyFor } = await import('./signing-key.js');
    const key = signingKeyFor(parsePrivateKey(clientKey.exportText()));
    expect(() => key.sign(Buffer.from('x'), 'sha1')).toThrow(/SHA-1/);
    expect(() => key.sign(Buffer.from('x'))).toThrow(/SHA-1/);
    expect(key.sign(Buffer.from('x'), 'sha256')).toHaveLength(384);
  });
});
