import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';

import ssh2 from 'ssh2';

import { channelInternals } from './ssh2-internals.js';
import { groupAlive, PULL, type ScriptServer, startScriptServer } from './testing/custom-server.js';
import { makeWorkbench, rsh, sshOptions, startServer, type Workbench } from './testing/fixture.js';
import { eventually, run } from './testing/process.js';
import { announce, closed, exec, internalsOf, login, rawConnect } from './testing/raw-client.js';
import { SSH2_WINDOW } from './window.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

const MiB = 2 ** 20;
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

async function serving(script: string, limits = {}): Promise<ScriptServer> {
  server = await startScriptServer(bench, script, limits);
  return server;
}

/** The server still lets somebody in and runs a command for them. */
async function expectAlive({ port, key }: ScriptServer): Promise<void> {
  const again = await run('ssh', [...sshOptions(port, key.file), 'drsyncer@127.0.0.1', PULL]);
  expect(again.code).not.toBeNull();
  expect(again.code).not.toBe(255);
}

describe('Given ssh2 and its known traps', () => {
  test.each([
    ['at once', Buffer.alloc(0)],
    ['after its introduction', Buffer.from('SSH-2.0-Evil\r\n')],
    ['as a packet of impossible length', Buffer.from('SSH-2.0-Evil\r\n\xff\xff\xff\xff', 'latin1')],
    ['as a line without end', Buffer.alloc(20_000, 'A')],
  ])('When a stranger sends garbage %s, then the process lives and serves on', async (_name, head) => {
    const target = await serving('true');
    const { socket, closed: gone } = await rawConnect(target.port);
    socket.write(Buffer.concat([head, randomBytes(4096)]));
    await gone;
    await expectAlive(target);
  });

  test('When a client sends garbage after its login, then its command ends and the server serves on', async () => {
    const target = await serving('exec sleep 60');
    const client = await login({ port: target.port, keyFile: target.key.file });
    await exec(client, PULL);
    const pid = await eventually(() => target.pids[0]);
    internalsOf(client)._sock.write(randomBytes(4096));
    await closed(client);
    await eventually(() => (groupAlive(pid) ? undefined : true));
  });

  test('When standard output and standard error stall together, then output is intact and the end comes', async () => {
    const target = await serving('head -c 8000000 /dev/zero; head -c 8000000 /dev/zero >&2; exit 3');
    const client = await login({ port: target.port, keyFile: target.key.file });
    const channel = await exec(client, PULL);
    channel.pause();
    await sleep(300);
    let length = 0;
    let errors = 0;
    let code: number | undefined;
    channel.on('data', (chunk: Buffer) => (length += chunk.length));
    channel.stderr.on('data', (chunk: Buffer) => (errors += chunk.length));
    channel.on('exit', (status: number) => (code = status));
    channel.resume();
    await new Promise((resolve) => channel.once('close', resolve));
    client.end();
    expect({ length, code }).toEqual({ length: 8_000_000, code: 3 });
    expect(errors).toBeLessThanOrEqual(16 * 1024);
  });

  test('When the client is gone in the middle, then the whole process group goes', async () => {
    const target = await serving('sleep 60 & sleep 60');
    const client = await login({ port: target.port, keyFile: target.key.file });
    await exec(client, PULL);
    const pid = await eventually(() => target.pids[0]);
    internalsOf(client)._sock.resetAndDestroy();
    await eventually(() => (groupAlive(pid) ? undefined : true));
    expect(await target.metric('dr_syncer_ssh_sessions_active')).toBe(0);
  });

  test('When a command writes 50 MB and fails, then every byte and the exit code arrive', async () => {
    const target = await serving('head -c 50000000 /dev/zero; echo the end >&2; exit 37');
    const ran = await run('ssh', [...sshOptions(target.port, target.key.file), 'drsyncer@127.0.0.1', PULL]);
    expect({ ...ran, stdout: ran.stdout.length }).toEqual({
      code: 37,
      stdout: 50_000_000,
      stderr: 'the end\n',
    });
  });

  test('When a command dies of a signal, then the client hears of it', async () => {
    const target = await serving('kill -TERM $$');
    const client = await login({ port: target.port, keyFile: target.key.file });
    const channel = await exec(client, PULL);
    const name = await new Promise((resolve) => {
      channel.on('exit', (_code: number | null, signal?: string) => resolve(signal));
    });
    expect(name).toBe('SIGTERM');
    client.end();
  });

  test('When a client announces a huge window and stops reading, then little is read from the command', async () => {
    const target = await serving('exec cat /dev/zero');
    const client = await login({ port: target.port, keyFile: target.key.file });
    announce(client, 2 ** 31 - 1);
    await exec(client, PULL);
    internalsOf(client)._sock.pause();
    await eventually(() => target.pids[0]);
    await sleep(1_000);
    const sent = await target.metric('dr_syncer_ssh_bytes_total', { direction: 'sent' });
    // The kernel's buffers of both ends hold a few MiB.
    expect(sent).toBeLessThan(24 * MiB);
    expect(await target.metric('dr_syncer_ssh_window_stalls_total', { direction: 'sent' })).toBeGreaterThan(
      0,
    );
    internalsOf(client)._sock.destroy();
  });

  test('When a client starts a key exchange and leaves it hanging, then nothing piles up and it is thrown out', async () => {
    const target = await serving('exec cat /dev/zero', { loginGraceSeconds: 1 });
    const client = await login({ port: target.port, keyFile: target.key.file });
    announce(client, 2 ** 31 - 1);
    const channel = await exec(client, PULL);
    channel.resume();
    const sock = internalsOf(client)._sock;
    await sleep(100);
    // The client's KEXINIT goes out, nothing after it.
    internalsOf(client)._protocol.rekey();
    const write = sock.write.bind(sock);
    sock.write = ((...args: Parameters<typeof write>) =>
      sock.destroyed ? write(...args) : true) as typeof sock.write;
    await sleep(300);
    const before = await target.metric('dr_syncer_ssh_bytes_total', { direction: 'sent' });
    await sleep(500);
    const after = await target.metric('dr_syncer_ssh_bytes_total', { direction: 'sent' });
    expect(after - before).toBeLessThan(MiB);
    await closed(client);
    expect(await target.metric('dr_syncer_ssh_limit_hits_total', { limit: 'rekey' })).toBe(1);
  });

  test('When the command reads nothing, then a client can send one window and no more', async () => {
    const target = await serving('sleep 60');
    const client = await login({ port: target.port, keyFile: target.key.file });
    const channel = await exec(client, PULL);
    await eventually(() => target.pids[0]);
    let accepted = 0;
    const chunk = Buffer.alloc(MiB);
    const feed = () => {
      while (accepted < 64 * MiB && channel.write(chunk, () => (accepted += chunk.length))) {
        if (channel.writableLength > 4 * MiB) break;
      }
    };
    channel.on('drain', feed);
    feed();
    await sleep(1_000);
    expect(accepted).toBeGreaterThan(MiB);
    expect(accepted).toBeLessThan(6 * MiB);
    internalsOf(client)._sock.destroy();
  });

  test('When a client sends more than its window, then it is thrown out', async () => {
    const target = await serving('sleep 60');
    const client = await login({ port: target.port, keyFile: target.key.file });
    const channel = (await exec(client, PULL)) as unknown as { outgoing: { id: number } };
    const chunk = Buffer.alloc(32 * 1024 - 100);
    const gone = closed(client);
    for (let sent = 0; sent < 32 * MiB; sent += chunk.length) {
      internalsOf(client)._protocol.channelData(channel.outgoing.id, chunk);
    }
    await gone;
    expect(await target.metric('dr_syncer_ssh_limit_hits_total', { limit: 'receiveWindow' })).toBe(1);
  });

  test.each([0, 1, 1023])(
    'When a client announces packets of %d bytes, then it gets no session',
    async (size) => {
      const target = await serving('head -c 1000 /dev/zero');
      const client = await login({ port: target.port, keyFile: target.key.file });
      announce(client, 2 ** 20, size);
      const gone = closed(client);
      client.exec(PULL, () => undefined);
      await gone;
      expect(await target.metric('dr_syncer_ssh_refused_commands_total', { code: 'PacketSizeRefused' })).toBe(
        1,
      );
      await expectAlive(target);
    },
  );

  test('When the client closes its half first, then all of the output still comes', async () => {
    const target = await serving('cat >/dev/null; sleep 0.2; head -c 5000000 /dev/zero; exit 4');
    const ran = await run('ssh', [...sshOptions(target.port, target.key.file), 'drsyncer@127.0.0.1', PULL], {
      input: Buffer.alloc(3_000_000),
    });
    expect({ code: ran.code, length: ran.stdout.length }).toEqual({ code: 4, length: 5_000_000 });
  });

  test('When the command ends without reading, then the client hears its exit code', async () => {
    const target = await serving('exit 5');
    const ran = await run('ssh', [...sshOptions(target.port, target.key.file), 'drsyncer@127.0.0.1', PULL], {
      input: Buffer.alloc(20_000_000),
    });
    expect(ran.code).toBe(5);
  });

  test('When a client exchanges keys without end, then it is thrown out', async () => {
    const target = await serving('sleep 60');
    const client = await login({ port: target.port, keyFile: target.key.file });
    const gone = closed(client);
    const again = () => internalsOf(client)._protocol.rekey();
    client.on('handshake', () => setImmediate(again));
    again();
    await gone;
    expect(await target.metric('dr_syncer_ssh_limit_hits_total', { limit: 'rekeys' })).toBe(1);
  });
});

describe('Given OpenSSH and rsync over the server', () => {
  test('When the client changes keys all the time during both directions, then the files are the same', async () => {
    const key = await bench.key('rekey');
    const volume = join(bench.dir, 'volumes/rekey');
    await mkdir(volume, { recursive: true });
    await mkdir(join(bench.dir, 'rekey-src'));
    await writeFile(join(bench.dir, 'rekey-src/random'), randomBytes(60 * MiB));
    const real = await startServer(bench, {
      volumesRoot: join(bench.dir, 'volumes'),
      authorizedKeys: `restrict,command="dr-syncer-rsync ${volume}" ${key.line}`,
    });
    const shell = rsh(real.port, key.file, ['-o', 'RekeyLimit=4M']);
    const push = await run('rsync', [
      '-a',
      '-e',
      shell,
      `${bench.dir}/rekey-src/`,
      `drsyncer@127.0.0.1:${volume}/`,
    ]);
    const pull = await run('rsync', [
      '-a',
      '-e',
      shell,
      `drsyncer@127.0.0.1:${volume}/`,
      `${bench.dir}/rekey-back/`,
    ]);
    await real.stop();
    expect([push, pull]).toMatchObject([{ code: 0 }, { code: 0 }]);
    const original = await readFile(join(bench.dir, 'rekey-src/random'));
    expect(original.equals(await readFile(join(bench.dir, 'rekey-back/random')))).toBe(true);
  });

  test.each(['rsa-sha2-512', 'rsa-sha2-256'])(
    'When an RSA key signs with %s, then it is let in',
    async (algorithm) => {
      const key = await bench.key(`rsa-${algorithm}`, 'rsa', 3072);
      const volume = join(bench.dir, 'volumes');
      await mkdir(volume, { recursive: true });
      const real = await startServer(bench, {
        volumesRoot: volume,
        authorizedKeys: `restrict,command="dr-syncer-rsync ${volume}" ${key.line}`,
      });
      const options = sshOptions(real.port, key.file, ['-o', `PubkeyAcceptedAlgorithms=${algorithm}`]);
      const ran = await run('ssh', [
        ...options,
        'drsyncer@127.0.0.1',
        'rsync --server --sender -e.LsfxCIvu . .',
      ]);
      await real.stop();
      expect(ran.stderr).not.toContain('Permission denied');
      expect(real.audit('authentication')).toMatchObject([{ outcome: 'success' }]);
    },
  );
});

describe('Given the window of a session', () => {
  test('When ssh2 is the one that is installed, then its private side is as the shim expects', async () => {
    const target = await serving('sleep 5');
    const client = await login({ port: target.port, keyFile: target.key.file });
    const internals = channelInternals(await exec(client, PULL));
    client.end();
    expect(internals?.incoming).toEqual({ id: 0, window: SSH2_WINDOW, packetSize: 32 * 1024, state: 'open' });
    expect(ssh2).toHaveProperty('Server');
  });
});
