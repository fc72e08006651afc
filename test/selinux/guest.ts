import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Identity } from '@dr-syncer/api';
import type { PermissionsState, VolumeRef } from '@dr-syncer/ssh';

import { Mover } from '../mover/mover.js';

/**
 * The checks of `make test-selinux`, inside the machine: the agent's own mover, in a kernel that enforces. Each check
 * prints `ok NAME` or `not ok NAME: what was wrong`.
 */
const HELPER = '/usr/local/bin/dr-syncer-attributes';
const DIR = '/run/mover';
const VOLUME: VolumeRef = { podUid: '0000-1', pvName: 'pv-1' };
const MOUNT = Mover.volumePath(DIR, VOLUME);
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

  const mover = await Mover.start(DIR, HELPER);
  const labelled: Identity = { ...receiver, seLinuxLabel: WANTED };
  const apply = (identity: Identity) => mover.apply(VOLUME, identity);

  await check('the kernel enforces, and the mover sees it', async () => {
    equal(readFileSync('/sys/fs/selinux/enforce', 'utf8'), '1', 'enforce');
    equal((await mover.peer.request('hello', {})).selinux, true, 'hello.selinux');
    equal((await mover.peer.request('volumes.locate', VOLUME)).seclabel, true, 'seclabel');
  });
  await check('a transfer with -X does not carry the labels of the source', async () => {
    await mover.push(SOURCE, VOLUME, receiver);
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
    const changedAt = () => statSync(at('f3'), { bigint: true }).ctimeNs.toString();
    const before = changedAt();
    await mover.push(SOURCE, VOLUME, labelled);
    const state = await apply(labelled);
    equal([state.scope, state.labelsChanged, state.failed], ['Changed', names.length, 0], 'state');
    for (const name of [...names, 'f3', 'dir', '.']) equal(labelOf(at(name)), CANONICAL, name);
    equal(changedAt(), before, 'change time of another file');
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
  await mover.stop();
}

await checks();
process.exitCode = failed > 0 ? 1 : 0;
