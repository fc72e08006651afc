import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import type { Client } from 'ssh2';

import { sshLimitsSchema } from '@dr-syncer/ssh';
import type { ServerRefusalCode } from './refusals.js';
import {
  makeWorkbench,
  sshOptions,
  startServer,
  type TestKey,
  type TestServer,
  type Workbench,
} from './testing/fixture.js';
import { type Ran, run } from './testing/process.js';
import { exec, login } from './testing/raw-client.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

let bench: Workbench;
let server: TestServer;
let key: TestKey;

beforeAll(async () => {
  bench = await makeWorkbench();
  key = await bench.key('client');
  await mkdir(join(bench.dir, 'volume'));
  server = await startServer(bench, {
    volumesRoot: bench.dir,
    authorizedKeys: `restrict,command="dr-syncer-rsync ${bench.dir}/volume" ${key.line}`,
    limits: sshLimitsSchema.parse({ handshakesPerSource: { perSecond: 1000, burst: 1000 } }),
  });
});

afterAll(async () => {
  await server.stop();
  await bench.remove();
});

const REQUEST = 'rsync --server --sender -e.LsfxCIvu . .';
const ssh = (args: readonly string[], command: readonly string[] = [REQUEST]): Promise<Ran> =>
  run('ssh', [...sshOptions(server.port, key.file), ...args, 'drsyncer@127.0.0.1', ...command], {
    timeoutMs: 5_000,
  });

const refusals = (code: ServerRefusalCode) => server.metric('dr_syncer_ssh_refused_commands_total', { code });

async function expectRefused(code: ServerRefusalCode, act: () => Promise<unknown>): Promise<void> {
  const before = await refusals(code);
  await act();
  for (let i = 0; i < 100 && (await refusals(code)) === before; i += 1) await sleep(10);
  expect(await refusals(code)).toBeGreaterThan(before);
}

describe('Given OpenSSH that wants more than a command', () => {
  test.each<[string, ServerRefusalCode, string[], string[]]>([
    ['a shell', 'ShellRefused', [], []],
    ['a shell with a terminal', 'PtyRefused', ['-tt'], []],
    ['a terminal for the command', 'PtyRefused', ['-tt'], [REQUEST]],
    ['sftp', 'SubsystemRefused', ['-s'], ['sftp']],
    ['the subsystem netconf', 'SubsystemRefused', ['-s'], ['netconf']],
    ['the subsystem of a path', 'SubsystemRefused', ['-s'], ['/bin/sh']],
    ['a connection to elsewhere (-W)', 'ForwardingRefused', ['-W', '127.0.0.1:22'], []],
    [
      'a remote port',
      'ForwardingRefused',
      ['-R', '0:127.0.0.1:22', '-o', 'ExitOnForwardFailure=yes'],
      [REQUEST],
    ],
    ['a remote SOCKS port', 'ForwardingRefused', ['-R', '0', '-o', 'ExitOnForwardFailure=yes'], [REQUEST]],
    [
      'a remote socket',
      'ForwardingRefused',
      ['-R', '/tmp/x:127.0.0.1:22', '-o', 'ExitOnForwardFailure=yes'],
      [REQUEST],
    ],
    ['an environment', 'EnvironmentRefused', ['-o', 'SetEnv=LD_PRELOAD=/tmp/x.so'], [REQUEST]],
  ])('When it asks for %s, then that is refused (%s)', async (_name, code, args, command) => {
    await expectRefused(code, () => ssh(args, command));
  });

  test('When it connects through a local port, then the connection is refused', async () => {
    await expectRefused('ForwardingRefused', async () => {
      const client = await login({ port: server.port, keyFile: key.file });
      await new Promise((resolve) => client.forwardOut('127.0.0.1', 1, '169.254.169.254', 80, resolve));
      client.end();
    });
  });

  test('When sftp and scp of OpenSSH are used, then they get nothing', async () => {
    const options = sshOptions(server.port, key.file).filter((o) => o !== '-p' && o !== String(server.port));
    const port = ['-P', String(server.port)];
    const target = 'drsyncer@127.0.0.1:/etc/passwd';
    const all = await Promise.all([
      run('sftp', [...options, ...port, target, bench.dir], { timeoutMs: 5_000 }),
      run('scp', [...options, ...port, target, bench.dir], { timeoutMs: 5_000 }),
      run('scp', ['-O', ...options, ...port, target, bench.dir], { timeoutMs: 5_000 }),
    ]);
    expect(all.map(({ code }) => code)).not.toContain(0);
  });
});

describe('Given a raw client that asks for more than a command', () => {
  type Asking = (client: Client) => Promise<unknown>;
  const answered = (ask: (done: () => void) => unknown) =>
    new Promise<void>((resolve) => void ask(() => resolve()));
  const forwardSocket: Asking = (c) =>
    answered((done) => c.openssh_forwardOutStreamLocal('/run/docker.sock', done));

  test.each<[string, ServerRefusalCode, Asking]>([
    ['X11', 'X11Refused', (c) => answered((done) => c.exec(REQUEST, { x11: true }, done))],
    ['a terminal', 'PtyRefused', (c) => answered((done) => c.exec(REQUEST, { pty: true }, done))],
    [
      'variables',
      'EnvironmentRefused',
      (c) => answered((done) => c.exec(REQUEST, { env: { PATH: '/tmp' } }, done)),
    ],
    ['a shell', 'ShellRefused', (c) => answered((done) => c.shell(false, done))],
    ['sftp', 'SubsystemRefused', (c) => answered((done) => c.sftp(done))],
    ['another subsystem', 'SubsystemRefused', (c) => answered((done) => c.subsys('x', done))],
    [
      'TCP to elsewhere',
      'ForwardingRefused',
      (c) => answered((done) => c.forwardOut('::1', 1, '::1', 22, done)),
    ],
    ['a listening port', 'ForwardingRefused', (c) => answered((done) => c.forwardIn('0.0.0.0', 8080, done))],
    [
      'a listening socket',
      'ForwardingRefused',
      (c) => answered((done) => c.openssh_forwardInStreamLocal('/tmp/s', done)),
    ],
    ['a socket', 'ForwardingRefused', forwardSocket],
    [
      'a second session',
      'SecondChannel',
      async (c) => {
        await exec(c, REQUEST);
        await answered((done) => c.exec(REQUEST, done));
      },
    ],
    [
      'a second session beside a running command',
      'SecondChannel',
      (c) => Promise.all([exec(c, REQUEST), answered((done) => c.exec('id', done))]),
    ],
  ])('When it asks for %s, then that is refused (%s)', async (_name, code, ask) => {
    await expectRefused(code, async () => {
      // ssh2's client asks for OpenSSH's own requests only when the server calls itself OpenSSH.
      const client = await login({ port: server.port, keyFile: key.file }, { strictVendor: false });
      await ask(client);
      client.end();
    });
  });

  test('When it asks for the agent, then that is refused', async () => {
    await expectRefused('AgentRefused', async () => {
      const client = await login(
        { port: server.port, keyFile: key.file },
        { agent: '/nonexistent', agentForward: true },
      );
      await answered((done) => client.exec(REQUEST, { agentForward: true } as object, done));
      client.end();
    });
  });

  test('When it sends a signal before the command or a second command after it, then nothing happens', async () => {
    const client = await login({ port: server.port, keyFile: key.file });
    const channel = await exec(client, REQUEST);
    await expectRefused('SignalRefused', async () => {
      channel.signal('KILL');
      await sleep(50);
    });
    client.end();
  });

  test('When it opens a channel of a type that there is not, then the server serves on', async () => {
    const client = await login({ port: server.port, keyFile: key.file });
    const protocol = (client as unknown as { _protocol: Record<string, (...args: unknown[]) => void> })
      ._protocol;
    for (const type of ['tun@openssh.com', 'auth-agent@openssh.com', 'evil', '']) {
      openChannelOfType(protocol, type);
    }
    const channel = await exec(client, REQUEST);
    channel.end();
    client.end();
    expect((await ssh([], ['id'])).stderr).toContain('NotRsync');
  });
});

/** SSH_MSG_CHANNEL_OPEN (RFC 4254 5.1) by hand: ssh2's client has no way to say this. */
function openChannelOfType(protocol: object, type: string): void {
  const internals = protocol as {
    _packetRW: { write: { allocStart: number; alloc(n: number): Buffer; finalize(p: Buffer): Buffer } };
    _cipher: { encrypt(p: Buffer): void };
  };
  const name = Buffer.from(type);
  const payload = Buffer.alloc(1 + 4 + name.length + 12);
  payload[0] = 90;
  payload.writeUInt32BE(name.length, 1);
  name.copy(payload, 5);
  payload.writeUInt32BE(77, 5 + name.length);
  payload.writeUInt32BE(2 ** 20, 9 + name.length);
  payload.writeUInt32BE(32_768, 13 + name.length);
  const writer = internals._packetRW.write;
  const packet = writer.alloc(payload.length);
  payload.copy(packet, writer.allocStart);
  internals._cipher.encrypt(writer.finalize(packet));
}
