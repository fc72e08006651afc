import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { attributesHelper } from '../testing/attributes.js';

jest.setTimeout(120_000);

const GROUP = 7000;

interface Line extends Record<string, unknown> {
  readonly is: string;
  readonly examples?: { readonly name: string; readonly reason: string }[];
}

describe('Given the attribute helper, compiled to find errors of memory', () => {
  let helper: string;
  let base: string;
  let count = 0;
  let root: string;

  beforeAll(async () => {
    helper = await attributesHelper('-fsanitize=address,undefined', '-fno-sanitize-recover=all');
    base = await mkdtemp(join(tmpdir(), 'dr-syncer-native-test-'));
  });
  beforeEach(() => {
    root = join(base, `v${count++}`);
    mkdirSync(root);
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  const ask = (args: readonly string[], input: string | Buffer, at = root) => {
    const fd = openSync(at, constants.O_RDONLY);
    try {
      const { status, stdout, stderr } = spawnSync(helper, args, {
        input,
        stdio: ['pipe', 'pipe', 'pipe', fd],
        timeout: 60_000,
      });
      const lines = stdout
        .toString('latin1')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line);
      return { status, lines, last: lines.at(-1), stderr: stderr.toString() };
    } finally {
      closeSync(fd);
    }
  };
  const group = (name: string) => lstatSync(join(root, name)).gid;
  const GROUPED = [`--fs-group=${GROUP}`];

  test.each([
    ['an unknown argument', ['--other'], ''],
    ['a group that means none', ['--fs-group=4294967295'], ''],
    ['a group below zero', ['--fs-group=-1'], ''],
    ['a group that is no number', ['--fs-group=root'], ''],
    ['no label', ['--label='], ''],
    ['a label longer than any', [`--label=${'x'.repeat(5000)}`], ''],
    ['an unknown command', [], 'X\0'],
    ['a record without an end', [], 'P'],
    ['an empty record', [], '\0'],
    ['a record longer than any path', [], `N${'x'.repeat(10_000)}\0`],
  ])('When it is given %s, then it refuses', (_, args, input) => {
    const { status, lines } = ask(args, input);
    expect([status, lines]).toEqual([64, []]);
  });

  test('When its root is no directory, then it refuses', () => {
    writeFileSync(join(root, 'file'), '');
    expect(ask([], 'P\0', join(root, 'file')).status).toBe(64);
  });

  test('When it is asked for the root, then it says what that is; a marker comes and goes', () => {
    const { lines } = ask([], 'P\0Mhello "x"\\\xff\0P\0U\0U\0P\0');
    expect(lines.map(({ is }) => is)).toEqual(['root', 'ok', 'root', 'ok', 'ok', 'root']);
    expect(lines[0]).toMatchObject({ group: 0, mode: 0o755, inode: String(lstatSync(root).ino) });
    expect(Buffer.from(String(lines[2]?.['marker']), 'latin1').toString()).toBe('hello "x"\\\xff');
    expect(lines[5]?.['marker']).toBeUndefined();
  });

  test('When a tree holds all kinds of entries, then each gets what it should have and no link is followed', () => {
    const outside = join(base, 'outside');
    mkdirSync(join(outside, 'dir'), { recursive: true });
    writeFileSync(join(outside, 'file'), '');
    mkdirSync(join(root, 'dir'));
    writeFileSync(join(root, 'dir', 'file'), '', { mode: 0o600 });
    for (const [name, to] of [
      ['dirlink', join(outside, 'dir')],
      ['filelink', join(outside, 'file')],
      ['up', '..'],
      ['broken', 'x'],
    ] as const)
      symlinkSync(to, join(root, name));
    execFileSync('mkfifo', [join(root, 'fifo')]);
    execFileSync('mknod', [join(root, 'device'), 'c', '1', '3']);
    const odd = [Buffer.from('\xff\n"\\ \x01', 'latin1'), Buffer.from('x'.repeat(255))];
    for (const name of odd) writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), '');
    const { last, stderr } = ask(GROUPED, 'A\0R\0');
    expect(stderr).toBe('');
    expect(last).toMatchObject({ is: 'done', seen: 11, groupsChanged: 11, failed: 0, givenUp: false });
    for (const name of ['dir', 'dir/file', 'dirlink', 'filelink', 'up', 'broken', 'fifo', 'device'])
      expect(group(name)).toBe(GROUP);
    for (const name of odd) expect(statSync(Buffer.concat([Buffer.from(`${root}/`), name])).gid).toBe(GROUP);
    for (const name of ['.', 'dir', 'file']) expect(statSync(join(outside, name)).gid).toBe(0);
    expect(statSync(root).mode & 0o7777).toBe(0o2775);
    expect(ask(GROUPED, 'A\0R\0').last).toMatchObject({ groupsChanged: 0, modesChanged: 0 });
  });

  test('When names lead out of the volume or through links, then nothing is touched', () => {
    mkdirSync(join(base, 'beside'), { recursive: true });
    writeFileSync(join(base, 'beside/file'), '');
    symlinkSync('../beside', join(root, 'link'));
    symlinkSync('/', join(root, 'slash'));
    writeFileSync(join(root, 'file'), '');
    const names = [
      '../beside/file',
      '/etc/passwd',
      'link/file',
      'slash/etc/passwd',
      'file/below',
      'gone',
      '..',
      '',
      '//',
    ];
    const { last } = ask(GROUPED, `${names.map((name) => `N${name}\0`).join('')}E\0`);
    expect(last).toMatchObject({ is: 'done', groupsChanged: 0, seen: names.length });
    expect(statSync(join(base, 'beside/file')).gid).toBe(0);
    expect(statSync('/etc/passwd').gid).toBe(0);
    expect(ask(GROUPED, 'Nlink\0Nfile\0E\0').last).toMatchObject({ groupsChanged: 2 });
    expect(statSync(join(base, 'beside')).gid).toBe(0);
  });

  test('When files have links inside and outside, then those inside alone are changed, by walk and by name', () => {
    mkdirSync(join(root, 'a'));
    for (let i = 0; i < 2000; i++) {
      writeFileSync(join(root, `f${i}`), '');
      linkSync(join(root, `f${i}`), join(root, 'a', `g${i}`));
    }
    linkSync(join(root, 'f7'), join(base, `outside-${count}`));
    const counted = [...GROUPED, '--count-links'];
    expect(ask(counted, 'Nf7\0Nf8\0Na/g9\0E\0').last).toMatchObject({ groupsChanged: 2, linksRefused: 1 });
    expect([group('f7'), group('f8'), group('f9')]).toEqual([0, GROUP, GROUP]);
    expect(ask(counted, 'A\0').last).toMatchObject({ linksRefused: 1, groupsChanged: 1997 + 1 });
    expect(group('f7')).toBe(0);
  });

  test('When a tree is deeper than a path can be, then that is said and the rest is done', () => {
    // mkdir and cd in turn: no path that long can be named.
    execFileSync('python3', ['-c', 'import os\nfor i in range(2200):\n os.mkdir("d")\n os.chdir("d")'], {
      cwd: root,
    });
    writeFileSync(join(root, 'file'), '');
    const { last } = ask(GROUPED, 'A\0');
    expect(last).toMatchObject({ failed: 1, givenUp: false });
    expect(last?.examples?.[0]?.reason).toBe('ENAMETOOLONG');
    expect(group('file')).toBe(GROUP);
    execFileSync('rm', ['-rf', root]);
  });

  test('When nothing can be changed, then it gives up and says why', () => {
    for (let i = 0; i < 1500; i++) writeFileSync(join(root, `f${i}`), '');
    execFileSync('chmod', ['755', base]);
    const launched = ['--reuid', '1000', '--regid', '1000', '--clear-groups', helper, ...GROUPED];
    const fd = openSync(root, constants.O_RDONLY);
    const { stdout } = spawnSync('setpriv', launched, { input: 'A\0', stdio: ['pipe', 'pipe', 'pipe', fd] });
    closeSync(fd);
    const last = JSON.parse(stdout.toString().trim().split('\n').at(-1) ?? '') as Line;
    expect(last).toMatchObject({ failed: 1000, givenUp: true, groupsChanged: 0 });
    expect(last.examples).toHaveLength(10);
    expect(last.examples?.[0]?.reason).toBe('EPERM');
  });

  test('When it runs long, then it says how far it is', () => {
    for (let i = 0; i < 200; i++) {
      mkdirSync(join(root, `d${i}`));
      for (let j = 0; j < 100; j++) writeFileSync(join(root, `d${i}/f${j}`), '');
    }
    const { lines } = ask(GROUPED, 'A\0');
    expect(lines.at(-1)).toMatchObject({ seen: 20_200, groupsChanged: 20_200 });
    for (const line of lines.slice(0, -1)) expect(line.is).toBe('progress');
  });
});
