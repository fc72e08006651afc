import type { Identity } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { capabilityMask } from './capability-mask.js';
import { launch, launchArgv } from './launch.js';
import { verifyProcess } from './verify.js';

const tenant: Identity = {
  uid: 1000690000,
  gid: 1000690000,
  groups: [5000, 1000690000],
  capabilities: [],
  umask: '0000',
  privileged: false,
};
const receiver: Identity = {
  uid: 0,
  gid: 0,
  groups: [0],
  capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'MKNOD', 'SETFCAP'],
  umask: '0077',
  privileged: true,
};
const identities: [string, Identity][] = [
  ['a tenant', tenant],
  ['no groups at all', { ...tenant, groups: [] }],
  ['the highest id', { ...tenant, uid: 2_147_483_647, gid: 2_147_483_647, groups: [2_147_483_647] }],
  ['root with some capabilities', receiver],
  ['root with none', { ...receiver, capabilities: [] }],
  ['another user with capabilities', { ...receiver, uid: 1000, gid: 1000, groups: [1000] }],
  ['a privileged reader', { ...tenant, uid: 65534, capabilities: ['DAC_READ_SEARCH'], privileged: true }],
];

/** What the agent's mover container has, and nothing else. */
const CONTAINER_CAPABILITIES =
  'chown,dac_override,dac_read_search,fowner,fsetid,setuid,setgid,setpcap,kill,mknod,setfcap';
const inContainer: readonly [string, ...string[]] = [
  '/usr/bin/setpriv',
  `--bounding-set=-all,${CONTAINER_CAPABILITIES.replace(/[^,]+/g, '+$&')}`,
  '--inh-caps=-all',
  '--ambient-caps=-all',
  '--',
];

describe('launchArgv', () => {
  test.each([
    ['a negative id', { uid: -1 }],
    ['the id that means "no change"', { uid: 4294967295 }],
    ['an id beyond 31 bits', { gid: 2 ** 31 }],
    ['a fraction', { uid: 1.5 }],
    ['no number', { uid: Number.NaN }],
    ['a name', { groups: ['root'] }],
    ['another capability', { capabilities: ['SYS_ADMIN'] }],
  ])('Given %s, Then nothing is launched', (_, change) => {
    const identity = { ...tenant, ...change } as unknown as Identity;

    expect(() => launchArgv(identity, '/usr/bin/rsync', [])).toThrow(
      expect.objectContaining({ code: 'IdentityRefused' }),
    );
  });

  test('Given a program without a path, Then nothing is launched', () => {
    expect(() => launchArgv(tenant, 'rsync', [])).toThrow('absolute path');
  });

  test('Given any identity and arguments, Then the words before the program are ours alone', () => {
    const id = fc.integer({ min: 0, max: 2_147_483_647 });
    fc.assert(
      fc.property(
        id,
        id,
        fc.array(id, { maxLength: 64 }),
        fc.array(fc.string()),
        (uid, gid, groups, args) => {
          const argv = launchArgv({ ...tenant, uid, gid, groups }, '/usr/bin/rsync', args);
          const end = argv.indexOf('--');
          expect(argv.slice(end)).toEqual(['--', '/usr/bin/rsync', ...args]);
          expect(argv.slice(0, end).join(' ')).toMatch(/^[a-z0-9/,+=_ -]+ KILL$/);
        },
      ),
    );
  });
});

const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

asRoot('launch', () => {
  test.each(identities)('Given %s, Then the kernel says exactly that of the process', async (_, identity) => {
    const child = launch(identity, '/usr/bin/sleep', ['60'], { stdio: 'ignore' });
    try {
      await verifyProcess(pidOf(child), identity, { comm: 'sleep' });
    } finally {
      child.kill('SIGKILL');
    }
    await once(child, 'close');
  });

  test.each(identities)(
    'Given %s and the capabilities of the container only, Then so it does',
    (_, identity) => {
      const script = `
      const { spawnSync } = require('node:child_process');
      const [command, ...args] = JSON.parse(process.argv[1]);
      process.stdout.write(spawnSync(command, args).stdout);`;
      const argv = launchArgv(identity, '/usr/bin/cat', ['/proc/self/status']);
      const [program, ...args] = [
        ...inContainer,
        process.execPath,
        '-e',
        script,
        JSON.stringify(argv),
      ] as const;

      const status = execFileSync(program, args, { encoding: 'utf8' });

      const mask = capabilityMask(identity.capabilities);
      expect(field(status, 'Uid')).toBe(Array(4).fill(identity.uid).join(' '));
      expect(field(status, 'Gid')).toBe(Array(4).fill(identity.gid).join(' '));
      expect(field(status, 'Groups')).toBe(identity.groups.join(' '));
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        expect(field(status, set)).toBe(mask);
      expect(field(status, 'NoNewPrivs')).toBe('1');
    },
  );

  test('Given root with reduced capabilities, Then what it executes gets no more', () => {
    const argv = launchArgv({ ...receiver, capabilities: ['CHOWN'] }, '/usr/bin/env', [
      'cat',
      '/proc/self/status',
    ]);
    const [program = '', ...args] = argv;

    const status = execFileSync(program, args, { encoding: 'utf8' });

    expect(field(status, 'CapEff')).toBe(capabilityMask(['CHOWN']));
  });

  test('Given a launch, Then the umask of this process is what it was', async () => {
    const umask = (): string => field(readFileSync('/proc/self/status', 'utf8'), 'Umask');
    const before = umask();
    const child = launch({ ...tenant, umask: '0007' }, '/usr/bin/true', [], { stdio: 'ignore' });

    expect(umask()).toBe(before);
    await once(child, 'close');
  });

  test('When the parent is killed, Then the child goes with it', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      const [command, ...args] = JSON.parse(process.argv[1]);
      const child = spawn(command, args, { stdio: 'ignore', detached: true });
      child.once('spawn', () => setTimeout(() => console.log(child.pid), 200));`;
    const argv = launchArgv(tenant, '/usr/bin/sleep', ['60']);
    const parent = spawn(process.execPath, ['-e', script, JSON.stringify(argv)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [data] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(data.toString());
    expect(comm(pid)).toBe('sleep');

    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await sleep(100);

    expect(isAlive(pid)).toBe(false);
  });

  test('Given a node whose /etc/group has the user in other groups, Then it is in none of them', () => {
    const dir = mkdtempSync(join(tmpdir(), 'dr-syncer-groups-'));
    try {
      writeFileSync(join(dir, 'passwd'), 'root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n');
      writeFileSync(
        join(dir, 'group'),
        'root:x:0:alice\nalice:x:1000:\nbypassed:x:50000:alice\nfoo:x:60000:alice\n',
      );
      const alice: Identity = { ...tenant, uid: 1000, gid: 1000, groups: [1000, 60000] };
      const groups = (argv: readonly string[]): string => {
        const mounts = ['passwd', 'group']
          .map((name) => `mount --bind ${dir}/${name} /etc/${name}`)
          .join(' && ');
        const inside = [
          'unshare',
          '--mount',
          '--propagation',
          'private',
          'sh',
          '-c',
          `${mounts} && exec "$@"`,
          'sh',
        ];
        const [program = '', ...args] = [...inside, ...argv];
        return field(execFileSync(program, args, { encoding: 'utf8' }), 'Groups');
      };
      const program = '/usr/bin/cat';
      const args = ['/proc/self/status'];

      const initGroups = [
        'setpriv',
        '--reuid',
        '1000',
        '--regid',
        '1000',
        '--init-groups',
        '--',
        program,
        ...args,
      ];
      expect(groups(initGroups)).toBe('0 1000 50000 60000');
      expect(groups(launchArgv(alice, program, args))).toBe('1000 60000');
      expect(groups(launchArgv({ ...alice, groups: [] }, program, args))).toBe('');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

function field(status: string, name: string): string {
  return new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)?.[1]?.replace(/\s+/g, ' ') ?? 'absent';
}

function comm(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

/** Not gone, and not dead but not yet waited for. */
function isAlive(pid: number): boolean {
  return (
    existsSync(`/proc/${pid}/stat`) && !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  );
}

function pidOf(child: { pid?: number | undefined }): number {
  if (child.pid === undefined) throw new Error('not started');
  return child.pid;
}
