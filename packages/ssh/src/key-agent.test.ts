import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KeyAgentServer } from './key-agent.js';
import { generateHostKey, generateTransferKey, type PrivateKey, type TransferKey } from './keys.js';
import { knownHostsText, opensshClientArgv } from './openssh-client.js';
import { wireString, wireUint32 } from './ssh-wire.js';
import { startTestServer, type TestServer } from './testing/test-server.js';

let dir = '';
let key: TransferKey;
let agent: KeyAgentServer;
let hostKey: PrivateKey;
let server: TestServer;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agent-'));
  key = generateTransferKey('transfer 1');
  agent = new KeyAgentServer(key);
  await agent.listen(join(dir, 'agent'));
  hostKey = await generateHostKey('ed25519');
  server = await startTestServer({
    hostKeys: [hostKey],
    clientKey: key.blob,
    onExec: (channel, command) => {
      channel.write(`ran ${command}`);
      channel.exit(0);
      channel.end();
    },
  });
});

afterEach(async () => {
  await agent.close();
  await server.close();
  rmSync(dir, { recursive: true });
});

async function run(argv: string[], input = ''): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(argv[0]!, argv.slice(1), { env: { SSH_AUTH_SOCK: join(dir, 'agent') } });
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
}

function ssh(
  pins: readonly string[],
  ...command: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  writeFileSync(join(dir, 'pins'), knownHostsText('127.0.0.1', server.port, pins));
  const argv = opensshClientArgv({
    port: server.port,
    user: 'drsyncer',
    agentSocket: join(dir, 'agent'),
    knownHostsFile: join(dir, 'pins'),
    connectTimeoutSeconds: 5,
    aliveIntervalSeconds: 5,
  });
  return run([...argv, '127.0.0.1', ...command]);
}

describe('Given an agent with a transfer key and the real OpenSSH client', () => {
  test('When it logs in with the key Then the command runs', async () => {
    expect(await ssh([hostKey.publicLine], 'rsync', '--server')).toEqual({
      code: 0,
      out: 'ran rsync --server',
      err: '',
    });
    expect(server.logins).toEqual(['ssh-ed25519 -']);
  });

  test('When the host key is not the pinned one Then it does not log in', async () => {
    const { code, err } = await ssh([(await generateHostKey('ed25519')).publicLine], 'true');
    expect(code).toBe(255);
    expect(err).toMatch(/Host key verification failed|HOST IDENTIFICATION HAS CHANGED/);
    expect(server.logins).toEqual([]);
  });

  test('When nothing is pinned Then it does not log in', async () => {
    expect((await ssh([], 'true')).err).toContain('Host key verification failed');
    expect(server.logins).toEqual([]);
  });

  test('When there are other keys around Then only the agent is asked', async () => {
    await agent.close();
    const { code, err } = await ssh([hostKey.publicLine], 'true');
    expect(code).toBe(255);
    expect(err).toContain('Permission denied (publickey)');
  });

  test('When ssh-add asks Then the key is listed and nothing can be added, removed or locked', async () => {
    expect((await run(['ssh-add', '-l'])).out).toContain(`${key.fingerprint} transfer 1 (ED25519)`);
    expect((await run(['ssh-add', '-'], (await generateHostKey('ed25519')).exportText())).code).not.toBe(0);
    expect((await run(['ssh-add', '-D'])).code).not.toBe(0);
    expect((await run(['ssh-add', '-s', '/usr/lib/x.so'])).code).not.toBe(0);
    expect((await run(['ssh-add', '-L'])).out.trim()).toBe(key.publicLine);
  });
});

describe('Given an agent and raw messages', () => {
  const FAILURE = Buffer.of(0, 0, 0, 1, 5);
  let socket: Socket;

  beforeEach(() => {
    socket = connect(join(dir, 'agent'));
    socket.on('error', () => undefined);
  });
  afterEach(() => {
    socket.destroy();
  });

  async function answer(message: Buffer): Promise<Buffer> {
    const answered = new Promise<Buffer>((resolve) => {
      socket.once('data', (data: Buffer) => resolve(data));
      socket.once('close', () => resolve(Buffer.from('closed')));
    });
    socket.write(message);
    return answered;
  }

  const sign = (blob: Buffer) =>
    Buffer.concat([Buffer.of(13), wireString(blob), wireString('data'), wireUint32(0)]);

  test.each([
    ['an unknown type', () => wireString(Buffer.of(99))],
    ['the old protocol', () => wireString(Buffer.of(1))],
    [
      'session-bind',
      () => wireString(Buffer.concat([Buffer.of(27), wireString('session-bind@openssh.com')])),
    ],
    ['a signature of another key', () => wireString(sign(generateTransferKey().blob))],
    ['a signature request that is cut', () => wireString(sign(key.blob).subarray(0, 40))],
    ['a length inside that lies', () => wireString(Buffer.concat([Buffer.of(13), wireUint32(0xffffffff)]))],
  ])('When it is %s Then it fails and the agent goes on', async (_, make) => {
    expect(await answer(make())).toEqual(FAILURE);
    expect((await answer(wireString(Buffer.of(11))))[4]).toBe(12);
  });

  test('When messages come in pieces or together Then each is answered', async () => {
    const both = Buffer.concat([wireString(Buffer.of(99)), wireString(Buffer.of(99))]);
    socket.write(both.subarray(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await answer(both.subarray(3))).toEqual(Buffer.concat([FAILURE, FAILURE]));
  });

  test.each([
    ['is too long', wireUint32(16 * 1024 + 1)],
    ['is empty', wireUint32(0)],
    ['is huge', wireUint32(0xffffffff)],
  ])('When a message %s Then the connection ends', async (_, message) => {
    expect((await answer(message)).toString()).toBe('closed');
  });

  test('When there are too many connections Then the rest is turned away', async () => {
    const sockets = Array.from({ length: 20 }, () =>
      connect(join(dir, 'agent')).on('error', () => undefined),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    const open = sockets.filter((each) => !each.destroyed && each.readable);
    expect(open.length).toBeLessThanOrEqual(8);
    for (const each of sockets) each.destroy();
  });

  test('When it listens and closes Then the socket is private, then gone', async () => {
    const path = join(dir, 'agent');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await agent.close();
    await agent.close();
    expect(existsSync(path)).toBe(false);
  });

  test('When the path is taken Then listening fails', async () => {
    await expect(new KeyAgentServer(key).listen(join(dir, 'agent'))).rejects.toThrow(/EADDRINUSE/);
  });
});
