import { existsSync, statSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';

import { DrError } from '@dr-syncer/api';
import { type Grant, Peer, type EventData } from '@dr-syncer/ssh';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { launch } from '../../identity/launch.js';
import { verifyProcess } from '../../identity/verify.js';
import { makeWorkbench, type Workbench } from '../../server/testing/fixture.js';
import { eventually, run as runProgram } from '../../server/testing/process.js';
import { VerifiedLauncher } from '../process/launch.js';
import type { Launcher } from '../process/launcher.js';
import { RsyncFacts } from '../rsync-facts.js';
import { rootIdentity, TestAgent, tenantIdentity } from '../testing/agent.js';
import { TestKubelet, type TestVolume } from '../testing/kubelet.js';
import { descendants, movers, rsyncServers } from '../testing/processes.js';
import { VolumeLocator } from '../volumes/locate.js';
import type { ReceiverExit } from './receiver-run.js';
import { type ReceiverGrant, Receivers } from './receivers.js';

const ARGV = ['--server', '-vlogDtpre.iLsfxCIvu', '.'];

function grantOf(id: string, volume: TestVolume, more: Partial<ReceiverGrant> = {}): ReceiverGrant {
  return {
    id,
    volume: volume.ref,
    direction: 'write',
    allowDelete: false,
    expiresAt: new Date(Date.now() + 60_000).toISOString(),
    identity: rootIdentity,
    preserve: { devices: false, fileCapabilities: false },
    holder: 'holder',
    streams: 4,
    ...more,
  };
}

/** What comes from the other side, and its end. */
class Wire {
  readonly socket: Socket;
  bytes = 0;
  ended = false;

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => (this.bytes += chunk.length));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.ended = true));
    this.socket.on('end', () => (this.ended = true));
  }
}

describe('Given receivers whose processes are looked at by a test', () => {
  let bench: Workbench;
  let kubelet: TestKubelet;
  let volume: TestVolume;
  let exits: ReceiverExit[];
  /** The uid of each run that writes, and its exit code. */
  let watched: (number | null)[];
  const owner = { onExit: (exit: ReceiverExit) => void exits.push(exit) };

  const receiversWith = async (
    verify: Launcher['verify'],
    rsync = new RsyncFacts('/usr/bin/rsync', '3.5.0'),
  ) => {
    const gates = join(bench.dir, 'gates');
    await mkdir(gates, { recursive: true });
    await chmod(gates, 0o711);
    return new Receivers({
      locator: new VolumeLocator({
        kubeletDir: kubelet.dir,
        hostPathPrefixes: [kubelet.localPathDir],
      }),
      launcher: new VerifiedLauncher({ launch, verify }, gates),
      rsync,
      writes: {
        watch: (_ref, _volume, identity) => {
          watched.push(identity.uid);
          return Promise.resolve({
            args: ['--log-file=/dev/null'],
            ended: (exitCode) => Promise.resolve(void watched.push(exitCode)),
          });
        },
      },
      socketDir: bench.dir,
      peerUid: 1000,
      peerGid: 1000,
      maxGrants: 2,
      maxRuns: 2,
      onRuns: () => undefined,
    });
  };

  beforeAll(async () => {
    bench = await makeWorkbench();
    await chmod(bench.dir, 0o711);
    kubelet = await TestKubelet.make();
  });

  beforeEach(async () => {
    exits = [];
    watched = [];
    volume = await kubelet.volume();
  });

  afterAll(async () => {
    await kubelet.remove();
    await bench.remove();
  });

  test('When it has not been verified, then the program has not begun and has read nothing; then it begins', async () => {
    let letThrough: () => void = () => undefined;
    const wait = new Promise<void>((resolve) => (letThrough = resolve));
    const receivers = await receiversWith(async (pid, identity, options) => {
      await verifyProcess(pid, identity, options);
      if (options.comm === 'flock') await wait;
    });
    await receivers.open(owner, grantOf('g1', volume));
    const { socket, run } = await receivers.start(owner, { id: 'g1', argv: [...ARGV, volume.path] });
    expect(statSync(socket)).toMatchObject({ uid: 1000, gid: 1000 });
    expect(statSync(socket).mode & 0o777).toBe(0o600);

    const wire = new Wire(socket);
    wire.socket.write(Buffer.from([32, 0, 0, 0]));
    await eventually(() => descendants().find(({ comm }) => comm === 'flock'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(rsyncServers()).toEqual([]);
    expect(wire.bytes).toBe(0);

    letThrough();
    await eventually(() => (wire.bytes > 0 ? true : undefined));
    const [server] = rsyncServers();
    expect(server?.args.slice(0, -1)).toEqual([
      '/usr/bin/rsync',
      '--server',
      '-vlogDtpre.iLsfxCIvu',
      '--drop-D',
      `--confine-root=${volume.path}`,
      '--super',
      '--log-file=/dev/null',
      '.',
      '.',
    ]);
    expect(await readFile(`/proc/${server?.pid}/environ`, 'latin1')).not.toMatch(/HOME|NODE|TOKEN/);
    expect(existsSync(socket)).toBe(false);

    expect(receivers.kill({ onExit: () => undefined }, run)).toBe(false);
    expect(receivers.kill(owner, run)).toBe(true);
    const exit = await eventually(() => exits[0]);
    expect(exit).toMatchObject({ run, exitCode: 20 });
    expect(watched).toEqual([0, 20]);
    await receivers.closeAll();
    expect(movers()).toEqual([]);
  });

  test.each(['flock', 'rsync'])('When it is not who it should be as %s, then it is ended', async (when) => {
    const receivers = await receiversWith((pid, identity, options) =>
      options.comm === when
        ? Promise.reject(new DrError('IdentityMismatch', 'process has Uid 0, not 1'))
        : verifyProcess(pid, identity, options),
    );
    await receivers.open(owner, grantOf('g1', volume));
    const { socket } = await receivers.start(owner, { id: 'g1', argv: [...ARGV, volume.path] });
    const wire = new Wire(socket);
    const exit = await eventually(() => exits[0]);
    expect(exit.exitCode === 0).toBe(false);
    expect(exit.stderr).toContain('process has Uid 0, not 1');
    await eventually(() => (wire.ended ? true : undefined));
    expect(movers()).toEqual([]);
    await receivers.closeAll();
  });

  test('When rsync is old, then it runs for tenants only, and without what it does not know', async () => {
    const receivers = await receiversWith(verifyProcess, new RsyncFacts('/usr/bin/rsync', '3.2.7'));
    await expect(receivers.open(owner, grantOf('g1', volume))).rejects.toMatchObject({ code: 'RsyncTooOld' });
    await receivers.open(owner, grantOf('g1', volume, { identity: tenantIdentity }));
    const { socket } = await receivers.start(owner, {
      id: 'g1',
      argv: [...ARGV.slice(0, 2), '--drop-D', '.', volume.path],
    });
    const wire = new Wire(socket);
    const server = await eventually(() => rsyncServers()[0]);
    expect(server.args).toContain('--no-super');
    expect(server.args.join(' ')).not.toMatch(/confine|drop-D/);
    wire.socket.destroy();
    await eventually(() => exits[0]);
    await receivers.closeAll();
  });

  test('When nothing came of a run before its grant ends, then its socket goes too and the volume is free', async () => {
    const receivers = await receiversWith(verifyProcess);
    await receivers.open(owner, grantOf('g1', volume));
    const { socket } = await receivers.start(owner, { id: 'g1', argv: [...ARGV, volume.path] });
    expect(await receivers.close(owner, 'g1')).toBe(true);
    expect(exits).toHaveLength(1);
    await eventually(() => (existsSync(socket) ? undefined : true));
    await kubelet.unmount(volume.path);
    await receivers.closeAll();
  });

  test('When a grant expires, then its rsync is ended and it is gone', async () => {
    const receivers = await receiversWith(verifyProcess);
    await receivers.open(
      owner,
      grantOf('g1', volume, { expiresAt: new Date(Date.now() + 400).toISOString() }),
    );
    const { socket } = await receivers.start(owner, { id: 'g1', argv: [...ARGV, volume.path] });
    const wire = new Wire(socket);
    await eventually(() => exits[0]);
    wire.socket.destroy();
    await expect(receivers.start(owner, { id: 'g1', argv: [...ARGV, volume.path] })).rejects.toMatchObject({
      code: 'GrantNotFound',
    });
    await receivers.closeAll();
  });

  test('When limits are reached, then more is refused', async () => {
    const receivers = await receiversWith(verifyProcess);
    await receivers.open(owner, grantOf('g1', volume));
    await expect(receivers.open(owner, grantOf('g1', volume))).rejects.toMatchObject({ code: 'Busy' });
    await receivers.open(owner, grantOf('g2', volume));
    await expect(receivers.open(owner, grantOf('g3', volume))).rejects.toMatchObject({ code: 'Busy' });
    const argv = [...ARGV, volume.path];
    await receivers.start(owner, { id: 'g1', argv });
    await receivers.start(owner, { id: 'g1', argv });
    await expect(receivers.start(owner, { id: 'g1', argv })).rejects.toMatchObject({ code: 'Busy' });
    await receivers.closeAll();
    expect(exits).toHaveLength(2);
  });

  test('When another grant writes to the same volume, then what an earlier one left running is ended first', async () => {
    const receivers = await receiversWith(verifyProcess);
    const argv = [...ARGV, volume.path];
    await receivers.open(owner, grantOf('g1', volume));
    await receivers.open(owner, grantOf('g2', volume));
    const first = await receivers.start(owner, { id: 'g1', argv });
    const wire = new Wire(first.socket);
    await eventually(() => rsyncServers()[0]);
    await receivers.start(owner, { id: 'g2', argv });
    expect(exits.map(({ run }) => run)).toEqual([first.run]);
    expect(rsyncServers()).toEqual([]);
    wire.socket.destroy();
    await receivers.closeAll();
  });

  test('When another holder writes to the same volume, then neither its grant nor its rsync is let in', async () => {
    const receivers = await receiversWith(verifyProcess);
    const argv = [...ARGV, volume.path];
    await receivers.open(owner, grantOf('g1', volume, { holder: 'one' }));
    await receivers.open(owner, grantOf('g2', volume, { holder: 'other' }));
    const { socket } = await receivers.start(owner, { id: 'g1', argv });
    const wire = new Wire(socket);
    await eventually(() => (wire.bytes > 0 ? true : undefined));

    await expect(receivers.start(owner, { id: 'g2', argv })).rejects.toMatchObject({ code: 'VolumeBusy' });
    expect(await receivers.close(owner, 'g2')).toBe(true);
    await expect(receivers.open(owner, grantOf('g2', volume, { holder: 'other' }))).rejects.toMatchObject({
      code: 'VolumeBusy',
    });

    expect(exits).toEqual([]);
    wire.socket.destroy();
    await eventually(() => exits[0]);
    await receivers.open(owner, grantOf('g2', volume, { holder: 'other' }));
    await receivers.closeAll();
    await kubelet.unmount(volume.path);
  });

  test('When a grant has more runs than streams, then the oldest is ended before the new one begins', async () => {
    const receivers = await receiversWith(verifyProcess);
    const argv = [...ARGV, volume.path];
    await receivers.open(owner, grantOf('g1', volume, { streams: 1 }));
    const first = await receivers.start(owner, { id: 'g1', argv });
    const wire = new Wire(first.socket);
    await eventually(() => (wire.bytes > 0 ? true : undefined));
    await receivers.start(owner, { id: 'g1', argv });
    expect(exits.map(({ run }) => run)).toEqual([first.run]);
    wire.socket.destroy();
    await receivers.closeAll();
  });

  test('When a grant has several streams, then there are never more, and one that may delete is alone', async () => {
    const receivers = await receiversWith(verifyProcess);
    const start = (...more: string[]) =>
      receivers.start(owner, { id: 'g1', argv: ['--server', ...more, ...ARGV.slice(1), volume.path] });
    await receivers.open(owner, grantOf('g1', volume, { streams: 2, allowDelete: true }));
    const runs = await Promise.all([1, 2, 3, 4].map(() => start()));
    expect(exits.length).toBe(2);
    // Which were the oldest was decided by chance.
    const left = runs.find(({ run }) => !exits.some((exit) => exit.run === run));
    receivers.kill(owner, left?.run ?? '');
    await eventually(() => (exits.length === 3 ? true : undefined));
    await start('--delete-delay');
    expect(exits.length).toBe(4);
    await receivers.closeAll();
  });

  test.each<[string, string[], Partial<Grant>]>([
    ['an option that writes elsewhere', ['--server', '-r', '--log-file=/etc/x', '.', '/P'], {}],
    ['a path that is another', ['--server', '-r', '.', '/etc'], {}],
    ['reading with a grant to write', ['--server', '--sender', '-r', '.', '/P/'], {}],
    ['writing with a grant to read', ['--server', '-r', '.', '/P'], { direction: 'read' }],
    ['deleting with a grant that does not allow it', ['--server', '-r', '--delete', '.', '/P'], {}],
    ['rights of its own choice', ['--server', '-r', '--super', '.', '/P'], {}],
    ['another program', ['-c', 'id'], {}],
  ])('When the ssh container asks for %s, then nothing is started', async (_name, words, more) => {
    const receivers = await receiversWith(verifyProcess);
    await receivers.open(owner, grantOf('g1', volume, more));
    const argv = words.map((word) => word.replace('/P', volume.path));
    await expect(receivers.start(owner, { id: 'g1', argv })).rejects.toMatchObject({ code: 'BadRequest' });
    await expect(receivers.start({ onExit: () => undefined }, { id: 'g1', argv })).rejects.toMatchObject({
      code: 'GrantNotFound',
    });
    await receivers.closeAll();
  });

  test('When the volume is not mounted any more, is read-only or unknown, then nothing is opened or started', async () => {
    const receivers = await receiversWith(verifyProcess);
    const readOnly = await kubelet.volume({ readOnly: true });
    await expect(receivers.open(owner, grantOf('g1', readOnly))).rejects.toMatchObject({
      code: 'VolumeReadOnly',
    });
    await receivers.open(owner, grantOf('g1', readOnly, { direction: 'read' }));
    await expect(
      receivers.open(owner, grantOf('g2', { ...volume, ref: { podUid: 'ffff', pvName: 'no' } })),
    ).rejects.toMatchObject({ code: 'VolumeNotFound' });
    await receivers.open(owner, grantOf('g2', volume));
    await kubelet.mount(volume.path, ['-t', 'tmpfs', 'none']);
    await expect(receivers.start(owner, { id: 'g2', argv: [...ARGV, volume.path] })).rejects.toMatchObject({
      code: 'VolumeNotMounted',
    });
    await receivers.closeAll();
  });
});

describe('Given a mover and its control socket', () => {
  let agent: TestAgent;
  let peer: Peer;
  let events: EventData<'receiver.exit'>[];

  beforeAll(async () => {
    agent = await TestAgent.start();
  });

  beforeEach(() => {
    events = [];
    peer = new Peer(connect({ path: agent.controlSocket, allowHalfOpen: true }));
    peer.on('receiver.exit', (event) => events.push(event));
  });

  afterEach(async () => {
    peer.close();
    await peer.closed;
  });

  afterAll(async () => {
    await agent.stop();
  });

  test('When somebody says hello, then versions and node are told, and only the ssh user can get so far', async () => {
    expect(await peer.request('hello', {})).toMatchObject({
      node: 'node-1',
      version: '1.2.3',
      rsyncVersion: '3.5.0',
      privilegedMovers: true,
      selinux: false,
    });
    const socket = statSync(agent.controlSocket);
    expect([socket.mode & 0o777, socket.uid, socket.gid]).toEqual([0o660, 0, 1000]);
    const dir = statSync(agent.config.socketDir);
    expect([dir.mode & 0o777, dir.uid, dir.gid]).toEqual([0o750, 0, 1000]);
  });

  test('When rsync fails, then its exit code and what it said come as an event', async () => {
    const volume = await agent.kubelet.volume();
    await peer.request('receivers.open', grantOf('g1', volume));
    const { run, socket } = await peer.request('receivers.start', { id: 'g1', argv: [...ARGV, volume.path] });
    const wire = new Wire(socket);
    wire.socket.end(Buffer.from('garbage that is no protocol at all'));
    const event = await eventually(() => events[0]);
    expect(event).toMatchObject({ run, signal: null });
    expect(event.exitCode).toBeGreaterThan(0);
    expect(event.stderr).toContain('rsync error');
    expect(event.stderr.length).toBeLessThanOrEqual(16 * 1024);
    expect(await peer.request('receivers.close', { id: 'g1' })).toEqual({ closed: true });
    expect(await peer.request('receivers.close', { id: 'g1' })).toEqual({ closed: false });
  });

  test('When the one who asked goes, then everything that it had opened goes', async () => {
    const volume = await agent.kubelet.volume();
    await writeFile(join(volume.path, 'file'), 'x');
    await peer.request('receivers.open', grantOf('g1', volume));
    const { socket } = await peer.request('receivers.start', { id: 'g1', argv: [...ARGV, volume.path] });
    const wire = new Wire(socket);
    await eventually(() => (wire.bytes > 0 ? true : undefined));
    peer.close();
    await eventually(() => (wire.ended ? true : undefined));
    await eventually(() => (rsyncServers().length === 0 ? true : undefined));
    await agent.kubelet.unmount(volume.path);
  });

  test('When a volume is served for reading, then its contents come, for a tenant as well', async () => {
    const volume = await agent.kubelet.volume();
    await writeFile(join(volume.path, 'file'), 'x');
    const { path } = await peer.request(
      'receivers.open',
      grantOf('g1', volume, { direction: 'read', identity: tenantIdentity }),
    );
    const argv = ['--server', '--sender', '-logDtpre.iLsfxCIvu', '.', `${path}/`];
    const { socket } = await peer.request('receivers.start', { id: 'g1', argv });
    const target = join(agent.bench.dir, 'pulled');
    await mkdir(target);
    const bridge = join(agent.bench.dir, 'bridge.mjs');
    await writeFile(
      bridge,
      `import { connect } from 'node:net';
       const socket = connect({ path: process.argv[2], allowHalfOpen: true });
       socket.on('end', () => process.stdin.destroy());
       process.stdin.pipe(socket).pipe(process.stdout);`,
    );
    const pulled = await runProgram('rsync', [
      '-a',
      '-e',
      `${process.execPath} ${bridge} ${socket}`,
      `x:${path}/`,
      `${target}/`,
    ]);
    expect(pulled).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(join(target, 'file'), 'utf8')).toBe('x');
    await peer.request('receivers.close', { id: 'g1' });
  });
});
