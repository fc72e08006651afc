import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';

import { defaultSshLimits } from '@dr-syncer/ssh';
import { groupAlive, PULL, type ScriptServer, startScriptServer } from './testing/custom-server.js';
import { makeWorkbench, sshOptions, type Workbench } from './testing/fixture.js';
import { eventually, run } from './testing/process.js';
import { closed, exec, internalsOf, login, rawConnect } from './testing/raw-client.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

let bench: Workbench;
let server: ScriptServer | undefined;

beforeAll(async () => {
  bench = await makeWorkbench();
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

afterAll(() => bench.remove());

async function serving(script: string, limits: object): Promise<ScriptServer> {
  server = await startScriptServer(bench, script, limits);
  return server;
}

const hits = (limit: string) => server?.metric('dr_syncer_ssh_limit_hits_total', { limit });
const ssh = ({ port, key }: ScriptServer, ...more: string[]) =>
  run('ssh', [...sshOptions(port, key.file, more), 'drsyncer@127.0.0.1', PULL]);

test('Given no settings, then every limit has its default', () => {
  expect(defaultSshLimits).toMatchObject({
    loginGraceSeconds: 30,
    startups: { start: 1024, ratePercent: 30, full: 2048 },
    startupsPerSource: 64,
    authAttempts: 6,
    connectionsPerKey: 16,
    windowBytes: 16 * 2 ** 20,
  });
});

describe('Given limits of connections that have not logged in', () => {
  test('When nothing is said within the grace time, then the connection is closed', async () => {
    const target = await serving('true', { loginGraceSeconds: 0.3 });
    const silent = await rawConnect(target.port);
    const talking = await rawConnect(target.port);
    talking.socket.write('SSH-2.0-Slow\r\n');
    await Promise.all([silent.closed, talking.closed]);
    expect(await hits('loginGrace')).toBe(2);
    expect((await ssh(target)).code).toBe(0);
  });

  test('When one source has its share of idle connections, then others still get in', async () => {
    const target = await serving('true', { startupsPerSource: 3 });
    const idle = await Promise.all([1, 2, 3].map(() => rawConnect(target.port, '127.0.0.9')));
    const fourth = await rawConnect(target.port, '127.0.0.9');
    await fourth.closed;
    expect(await hits('startupsPerSource')).toBe(1);
    expect((await ssh(target)).code).toBe(0);
    for (const { socket } of idle) socket.destroy();
    await sleep(50);
    expect((await ssh(target, '-b', '127.0.0.9')).code).toBe(0);
  });

  test('When all sources together have too many, then new ones are dropped until some are gone', async () => {
    const target = await serving('true', { startups: { start: 2, ratePercent: 100, full: 4 } });
    const idle = await Promise.all(
      ['127.0.0.5', '127.0.0.6'].map((address) => rawConnect(target.port, address)),
    );
    await (
      await rawConnect(target.port)
    ).closed;
    expect(await hits('startups')).toBe(1);
    for (const { socket } of idle) socket.destroy();
    await sleep(50);
    expect((await ssh(target)).code).toBe(0);
  });

  test('When one source exchanges keys too often, then it waits and others do not', async () => {
    const target = await serving('true', { handshakesPerSource: { perSecond: 1, burst: 2 } });
    const many = await Promise.all([1, 2, 3, 4].map(() => ssh(target, '-b', '127.0.0.7')));
    expect(many.filter(({ code }) => code === 0)).toHaveLength(2);
    expect(await hits('handshakesPerSource')).toBe(2);
    expect((await ssh(target)).code).toBe(0);
  });

  test('When everybody together exchanges keys too often, then some are dropped', async () => {
    const target = await serving('true', { handshakes: { perSecond: 1, burst: 1 } });
    expect((await ssh(target)).code).toBe(0);
    expect((await ssh(target, '-b', '127.0.0.8')).code).toBe(255);
    expect(await hits('handshakes')).toBe(1);
  });

  test('When too many keys are tried, then the connection ends before the right one', async () => {
    const target = await serving('true', { authAttempts: 3 });
    const strangers = await Promise.all([1, 2, 3].map((n) => bench.key(`stranger-${n}`)));
    const wrong = strangers.flatMap(({ file }) => ['-i', file]);
    const { port, key } = target;
    const options = sshOptions(port, strangers[0]?.file ?? '', [...wrong, '-i', key.file]);
    const ran = await run('ssh', [...options, 'drsyncer@127.0.0.1', PULL]);
    expect(ran.code).toBe(255);
    expect(await hits('authAttempts')).toBe(1);
    expect(await target.metric('dr_syncer_ssh_auth_failures_total', { reason: 'UnknownKey' })).toBe(3);
    expect(await target.metric('dr_syncer_ssh_unauthorized_attempts_total', { reason: 'UnknownKey' })).toBe(
      1,
    );
  });

  test('When a client asks and asks and never signs, then the connection ends', async () => {
    const target = await serving('true', { authRequests: 5 });
    const loop = ['none', 'none', 'none', 'none', 'none', 'none'] as const;
    await expect(
      login({ port: target.port, keyFile: target.key.file }, { authHandler: [...loop] }),
    ).rejects.toThrow();
    expect(await hits('authRequests')).toBe(1);
    expect(await target.metric('dr_syncer_ssh_unauthorized_attempts_total')).toBe(0);
  });
});

describe('Given limits of logged-in connections', () => {
  test('When a key has its number of connections, then one more is refused and another key is not', async () => {
    const target = await serving('true', { connectionsPerKey: 2 });
    const open = [await login({ port: target.port, keyFile: target.key.file })];
    open.push(await login({ port: target.port, keyFile: target.key.file }));
    expect((await ssh(target)).code).toBe(255);
    expect(await hits('connectionsPerKey')).toBe(1);
    const gone = open.map(closed);
    for (const client of open) client.end();
    await Promise.all(gone);
    await eventually(async () => ((await ssh(target)).code === 0 ? true : undefined));
  });

  test('When the server has its number of connections, then one more is refused', async () => {
    const target = await serving('exec cat >/dev/null', { connections: 1 });
    const client = await login({ port: target.port, keyFile: target.key.file });
    expect((await ssh(target)).code).toBe(255);
    expect(await hits('connections')).toBe(1);
    client.end();
    await closed(client);
    await sleep(50);
    expect((await ssh(target)).code).toBe(0);
  });

  test('When no command follows the login, then the connection is closed', async () => {
    const target = await serving('true', { commandGraceSeconds: 0.3 });
    const client = await login({ port: target.port, keyFile: target.key.file });
    await closed(client);
    expect(await hits('commandGrace')).toBe(1);
  });

  test('When no byte moves, then the command and the connection end', async () => {
    const target = await serving('exec sleep 60', { idleSeconds: 0.4 });
    const client = await login({ port: target.port, keyFile: target.key.file });
    await exec(client, PULL);
    const pid = await eventually(() => target.pids[0]);
    await closed(client);
    expect(await hits('idle')).toBe(1);
    await eventually(() => (groupAlive(pid) ? undefined : true));
  });

  test('When bytes move, then it is not idle, but the total time ends it', async () => {
    const target = await serving('while sleep 0.05; do echo x; done', {
      idleSeconds: 0.4,
      totalSeconds: 1.2,
    });
    const client = await login({ port: target.port, keyFile: target.key.file });
    (await exec(client, PULL)).resume();
    await closed(client);
    expect(await hits('total')).toBe(1);
    expect(await hits('idle')).toBe(0);
  });

  test('When the peer does not answer any more, then it is noticed', async () => {
    const target = await serving('exec sleep 60', { keepalive: { seconds: 0.1, count: 2 } });
    const client = await login({ port: target.port, keyFile: target.key.file });
    await exec(client, PULL);
    const pid = await eventually(() => target.pids[0]);
    const { _sock } = client as unknown as { _sock: { pause(): void; destroy(): void } };
    _sock.pause();
    await eventually(() => (groupAlive(pid) ? undefined : true));
    expect(await hits('keepalive')).toBe(1);
    _sock.destroy();
  });

  test('When a request is too long, then it is refused', async () => {
    const target = await serving('true', { requestBytes: 1024 });
    const { port, key } = target;
    const long = `${PULL} ${'x'.repeat(2000)}`;
    const ran = await run('ssh', [...sshOptions(port, key.file), 'drsyncer@127.0.0.1', long]);
    expect(ran).toMatchObject({ code: 77, stderr: expect.stringContaining('TooLong') });
  });

  test('When standard error floods, then only its last bytes come', async () => {
    const target = await serving('head -c 5000000 /dev/zero | tr "\\0" "x" >&2; echo end >&2; exit 1', {});
    const ran = await ssh(target);
    expect(ran.code).toBe(1);
    expect(ran.stderr.length).toBe(16 * 1024);
    expect(ran.stderr.endsWith('xend\n')).toBe(true);
    expect(await hits('stderr')).toBe(1);
  });

  test('When less of standard error is wanted, then less comes', async () => {
    const target = await serving('echo 123456789 >&2; head -c 1018 /dev/zero | tr "\\0" "x" >&2', {
      stderrBytes: 1024,
    });
    expect((await ssh(target)).stderr.replace(/x+$/, '')).toBe('56789\n');
    expect(await hits('stderr')).toBe(1);
  });

  test('When data comes, then its window is never larger than it may be', async () => {
    const target = await serving('exec cat >/dev/null', { windowBytes: 256 * 1024 });
    const client = await login({ port: target.port, keyFile: target.key.file });
    const channel = await exec(client, PULL);
    const gone = closed(client);
    channel.on('close', () => client.end());
    channel.resume();
    channel.end(Buffer.alloc(8 * 2 ** 20));
    await gone;
    await eventually(async () => ((await hits('windowBytes')) === 1 ? true : undefined));
    expect(await target.metric('dr_syncer_ssh_receive_window_bytes')).toBe(0);
  });

  test('When a client makes the server answer and reads nothing, then it is thrown out', async () => {
    const target = await serving('true', { sendBufferBytes: 65_536, sendBufferMaxBytes: 65_536 });
    const client = await login({ port: target.port, keyFile: target.key.file });
    const { _sock, _protocol } = internalsOf(client);
    _sock.pause();
    for (let asked = 0; asked < 2_000_000 && (await hits('sendBuffer')) === 0; asked += 5_000) {
      for (let i = 0; i < 5_000; i += 1) _protocol.ping();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await hits('sendBuffer')).toBe(1);
    _sock.destroy();
  });

  test('When a client asks for what is refused again and again, then the connection ends', async () => {
    const target = await serving('exec sleep 60', { refusals: 5 });
    const client = await login({ port: target.port, keyFile: target.key.file });
    const gone = closed(client);
    for (let i = 0; i < 8; i += 1) client.forwardOut('127.0.0.1', 1, '127.0.0.1', 22, () => undefined);
    await gone;
    expect(await hits('refusals')).toBe(1);
  });
});
