import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { Identity } from '@dr-syncer/api';
import { senderOptions } from '@dr-syncer/identity';
import { Peer, type PermissionsState, type VolumeRef } from '@dr-syncer/ssh';

/**
 * The checks of `make test-selinux`, inside the machine: the agent's own mover, in a kernel that enforces. Each check
 * prints `ok NAME` or `not ok NAME: what was wrong`.
 */
const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const HELPER = '/usr/local/bin/dr-syncer-attributes';
const KUBELET = '/var/lib/kubelet';
const MOUNT = `${KUBELET}/pods/0000-1/volumes/kubernetes.io~csi/pv-1/mount`;
const VOLUME: VolumeRef = { podUid: '0000-1', pvName: 'pv-1' };
const SOURCE = '/tmp/source';
const FILES = 40;

const context = (level: string) => `system_u:object_r:container_file_t:${level}`;
/** As an annotation of OpenShift has it, and as the kernel gives it back. */
const WANTED = context('s0:c26,c20,c21,c22');
const CANONICAL = context('s0:c20.c22,c26');
const FOREIGN = context('s0:c1,c2');

const receiver: Identity = {
  uid: 0,
  gid: 0,
  groups: [0],
  capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'],
  umask: '0077',
  privileged: true,
};

function sh(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const labelOf = (path: string) =>
  sh('getfattr', '--absolute-names', '-h', '--only-values', '-n', 'security.selinux', path).replace(
    /\0$/,
    '',
  );
const at = (name: string) => join(MOUNT, name);

let failed = 0;
async function check(name: string, work: () => Promise<void> | void): Promise<void> {
  try {
    await work();
    console.log(`ok ${name}`);
  } catch (err) {
    failed += 1;
    const text = err instanceof Error ? (err.stack ?? err.message) : String(err);
    console.log(`not ok ${name}: ${text.replaceAll('\n', ' | ')}`);
  }
}

function equal(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a} and not ${b}`);
}

async function rejected(work: Promise<unknown>, code: string): Promise<string> {
  const err: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { code: got, message = '' } = (err ?? {}) as { code?: string; message?: string };
  if (got !== code) throw new Error(`${got ?? 'nothing'} (${message}) and not ${code}`);
  return message;
}

/** `dr-syncer-agent mover`, asked over its own socket, as the `ssh` container does. */
async function startMover(): Promise<Peer> {
  for (const dir of ['/run/shared', '/run/private', `${KUBELET}/pods`]) mkdirSync(dir, { recursive: true });
  const mover = spawn(process.execPath, [join(REPOSITORY, 'packages/agent/dist/main.js'), 'mover'], {
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
      SOCKET_DIR: '/run/shared',
      PRIVATE_DIR: '/run/private',
      KUBELET_DIR: KUBELET,
      ATTRIBUTES_HELPER: HELPER,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  mover.unref();
  for (let attempt = 0; ; attempt++) {
    const socket = await connected('/run/shared/mover.sock');
    if (socket) {
      const peer = new Peer(socket, { requestTimeoutMs: 120_000 });
      peer.handle({});
      return peer;
    }
    if (attempt > 300) throw new Error('the mover does not listen');
    await sleep(200);
  }
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

/** Sends SOURCE into the volume: a real rsync, whose remote shell is this file, to a receiver of the mover's. */
async function push(mover: Peer, identity: Identity): Promise<void> {
  const id = `t-${Math.random().toString(36).slice(2)}`;
  const { path } = await mover.request('receivers.open', {
    id,
    volume: VOLUME,
    direction: 'write',
    allowDelete: true,
    expiresAt: new Date(Date.now() + 600_000).toISOString(),
    identity,
    holder: 'selinux-test',
    streams: 1,
    preserve: { devices: false, fileCapabilities: false },
  });
  const options = senderOptions(identity, { delete: true, rootModesAgree: false }).options;
  const words = ['/tmp/words', '/tmp/to', '/tmp/from'] as const;
  sh('rm', '-f', ...words);
  sh('mkfifo', '/tmp/to', '/tmp/from');
  writeFileSync('/tmp/rsh', '#!/bin/sh\nshift\necho "$@" >/tmp/words\ncat /tmp/from & exec cat >/tmp/to\n', {
    mode: 0o755,
  });
  const rsync = spawn(
    'rsync',
    [...options, '--delete-delay', '--filter=- /lost+found', '--rsh=/tmp/rsh', `${SOURCE}/`, `x:${path}`],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const ended = new Promise<number | null>((resolve) => rsync.once('close', resolve));
  let argv: string[] = [];
  while (argv.length === 0) {
    await sleep(50);
    argv = sh('sh', '-c', 'cat /tmp/words 2>/dev/null || true')
      .trim()
      .split(' ')
      .filter((word) => word !== '');
  }
  const { socket } = await mover.request('receivers.start', { id, argv: argv.slice(1) });
  // What a shell does for an SSH session; in a program of its own, for it must not wait for this one.
  const bridge = spawn(process.execPath, [fileURLToPath(import.meta.url), 'bridge', socket], {
    stdio: 'inherit',
  });
  equal(await ended, 0, 'exit code of rsync');
  bridge.kill();
  await mover.request('receivers.close', { id });
}

async function bridge(path: string): Promise<void> {
  const { createReadStream, createWriteStream } = await import('node:fs');
  const socket = await connected(path);
  if (socket === undefined) throw new Error('no receiver');
  createReadStream('/tmp/to').pipe(socket);
  socket.pipe(createWriteStream('/tmp/from'));
}

/** The helper alone, with these capabilities and no others: what it answers last. */
function helperWith(uid: number, capabilities: readonly string[], label: string): PermissionsState {
  const set = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const launch = `exec setpriv --reuid ${uid} --regid ${uid} --clear-groups --inh-caps=${set} --ambient-caps=${set} --bounding-set=${set} ${uid === 0 ? '--securebits +noroot,+noroot_locked' : ''} --no-new-privs ${HELPER} --label=${label} 3<${MOUNT}`;
  const answer = execFileSync('sh', ['-c', launch], { input: 'A\0', encoding: 'utf8' });
  return JSON.parse(answer.trim().split('\n').at(-1) ?? '') as PermissionsState;
}

async function checks(): Promise<void> {
  sh('modprobe', '9pnet_virtio');
  mkdirSync('/run/helper', { recursive: true });
  sh('mount', '-t', '9p', '-o', 'trans=virtio,version=9p2000.L,ro,cache=loose', 'helper', '/run/helper');
  // A program on a file system without labels may not be run under every policy.
  sh('cp', '/run/helper/dr-syncer-attributes', HELPER);
  mkdirSync(MOUNT, { recursive: true });
  sh('mount', '/dev/vdb', MOUNT);
  mkdirSync(join(SOURCE, 'dir'), { recursive: true });
  for (let i = 0; i < FILES; i++) writeFileSync(join(SOURCE, i % 2 === 0 ? 'dir' : '.', `f${i}`), `${i}`);
  sh('chcon', '-R', FOREIGN, SOURCE);

  const mover = await startMover();
  const labelled: Identity = { ...receiver, seLinuxLabel: WANTED };
  const apply = (identity: Identity) =>
    mover.request('permissions.apply', { id: 'p', volume: VOLUME, identity }, { timeoutMs: 120_000 });

  await check('the kernel enforces, and the mover sees it', async () => {
    equal(readFileSync('/sys/fs/selinux/enforce', 'utf8'), '1', 'enforce');
    equal((await mover.request('hello', {})).selinux, true, 'hello.selinux');
    equal((await mover.request('volumes.locate', VOLUME)).seclabel, true, 'seclabel');
  });
  await check('a transfer with -X does not carry the labels of the source', async () => {
    await push(mover, receiver);
    equal(readFileSync(at('f1'), 'utf8'), '1', 'content');
    for (const name of ['f1', 'dir', 'dir/f2', '.']) {
      if (labelOf(at(name)).includes('c1,c2')) throw new Error(`${name} has ${labelOf(at(name))}`);
    }
  });
  await check('all entries of a new volume are labelled, and the kernel spells the label', async () => {
    const state = await apply(labelled);
    equal([state.selinux, state.scope, state.failed], ['Labelled', 'All', 0], 'state');
    // Files, the directory, lost+found, the root.
    equal(state.labelsChanged, FILES + 3, 'labels changed');
    for (const name of ['f1', 'dir', 'dir/f2', '.']) equal(labelOf(at(name)), CANONICAL, name);
  });
  await check('root label and marker say that nothing is to do', async () => {
    const state = await apply(labelled);
    equal([state.selinux, state.scope, state.seen], ['Labelled', 'None', 0], 'state');
    const reordered = await apply({ ...receiver, seLinuxLabel: context('s0:c22,c21,c20,c26') });
    equal(reordered.scope, 'None', 'scope for the same label in other words');
  });
  await check('after a transfer only what it changed is relabelled', async () => {
    const names = ['f1', 'dir/f2', 'new'];
    for (const name of names) writeFileSync(join(SOURCE, name), 'changed since');
    sh('chcon', '-R', FOREIGN, SOURCE);
    const before = statSync(at('f3'), { bigint: true }).ctimeNs;
    await push(mover, labelled);
    const state = await apply(labelled);
    equal([state.scope, state.labelsChanged, state.failed], ['Changed', names.length, 0], 'state');
    for (const name of [...names, 'f3', 'dir', '.']) equal(labelOf(at(name)), CANONICAL, name);
    equal(statSync(at('f3'), { bigint: true }).ctimeNs, before, 'change time of another file');
  });
  await check('a root with another label means a walk that changes what differs', async () => {
    sh('chcon', FOREIGN, MOUNT, at('f5'));
    const state = await apply(labelled);
    equal([state.scope, state.labelsChanged], ['All', 2], 'state');
  });
  await check('a label that the policy does not know is refused', async () => {
    const message = await rejected(
      apply({ ...receiver, seLinuxLabel: 'system_u:object_r:no_such_t:s0:c1' }),
      'IdentityRefused',
    );
    if (!message.includes('policy')) throw new Error(message);
  });
  await check('with CAP_FOWNER and no other capability, files of others are relabelled', () => {
    sh('chown', '-R', '4242:4242', MOUNT);
    // To find them; another user may not enter lost+found.
    sh('chmod', '-R', 'a+rX', MOUNT);
    const state = helperWith(1000, ['fowner'], FOREIGN);
    equal([state.failed, state.labelsChanged], [0, FILES + 3], 'state');
  });
  await check('without CAP_FOWNER it fails, and says why', () => {
    const state = helperWith(1000, [], CANONICAL);
    equal([state.labelsChanged, state.failed], [0, FILES + 3], 'state');
    if (!/EPERM|EACCES/.test(JSON.stringify(state.examples))) throw new Error(JSON.stringify(state.examples));
  });
  await check('a mount with another context is refused, one with the same is left as it is', async () => {
    sh('umount', MOUNT);
    sh('mount', '-o', `context="${FOREIGN}"`, '/dev/vdb', MOUNT);
    const message = await rejected(apply(labelled), 'SELinuxContextMismatch');
    if (!message.includes('c1,c2')) throw new Error(message);
    const state = await apply({ ...receiver, seLinuxLabel: context('s0:c2,c1') });
    equal([state.selinux, state.scope, state.seen], ['MountedWithContext', 'None', 0], 'state');
    sh('umount', MOUNT);
  });
  await check('a file system without labels is reported', async () => {
    sh('mount', '-t', '9p', '-o', 'trans=virtio,version=9p2000.L,cache=loose', 'scratch', MOUNT);
    equal((await apply(labelled)).selinux, 'Unsupported', 'outcome');
    sh('umount', MOUNT);
  });
  mover.close();
}

if (process.argv[2] === 'bridge') {
  await bridge(process.argv[3] ?? '');
} else {
  await checks();
  process.exitCode = failed > 0 ? 1 : 0;
}
