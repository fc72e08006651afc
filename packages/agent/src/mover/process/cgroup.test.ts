import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import { launch } from '../../identity/launch.js';
import { verifyProcess } from '../../identity/verify.js';
import { eventually } from '../../server/testing/process.js';
import { tenantIdentity } from '../testing/agent.js';
import { parseMountinfo } from '../volumes/mountinfo.js';
import { readMounts } from '../volumes/mounts.js';
import { ProcessCgroups, readOwnCgroups } from './cgroup.js';
import { killGroup } from './group.js';
import { VerifiedLauncher } from './launch.js';

// Real processes, which a busy machine slows down.
jest.setTimeout(30_000);

const cgroups = await ProcessCgroups.find(await readMounts(), await readOwnCgroups());
if (cgroups === undefined) {
  process.stderr.write(
    '\nNOT TESTED: cgroups of processes, because none can be made here (no writable cgroup2)\n',
  );
}

const mounted = (options: string, root = '/') =>
  parseMountinfo(`30 25 0:26 ${root} /sys/fs/cgroup ${options} - cgroup2 cgroup2 rw`);

describe('Given machines where no cgroup can be made', () => {
  test.each([
    ['the hierarchy is mounted read-only, as in most pods', mounted('ro,nosuid'), '0::/'],
    ['there is no cgroup2', [], '0::/'],
    ['this process is in no cgroup2', mounted('rw'), '4:memory:/x'],
    ['its cgroup is not below what is mounted', mounted('rw', '/pods/a'), '0::/pods/b'],
    ['its cgroup is not there', mounted('rw'), '0::/does/not/exist'],
  ])('When %s, then there are none', async (_name, mounts, own) => {
    expect(await ProcessCgroups.find(mounts, own)).toBeUndefined();
  });
});

(cgroups === undefined ? describe.skip : describe)('Given a machine with a writable cgroup2', () => {
  let gates: string;
  const made: string[] = [];

  beforeAll(async () => {
    gates = await mkdtemp(join(tmpdir(), 'dr-syncer-gates-'));
    await chmod(gates, 0o711);
  });

  afterAll(() => rm(gates, { recursive: true, force: true }));

  async function start(script: string) {
    const launcher = new VerifiedLauncher({ launch, verify: verifyProcess }, gates, cgroups);
    let said = '';
    const child = await launcher.launch(
      {
        identity: tenantIdentity,
        program: '/bin/bash',
        args: ['-c', script],
        cwd: '/',
        env: { PATH: '/usr/bin:/bin' },
        stdio: ['ignore', 'pipe', 'inherit'],
        onSpawn: (spawned) => void spawned.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString())),
      },
      new AbortController().signal,
    );
    // The process that has left the group says its number.
    const stray = await eventually(() => (said.endsWith('\n') ? Number(said) : undefined));
    const own = /^0::(.*)$/m.exec(await readFile(`/proc/${stray}/cgroup`, 'utf8'))?.[1] ?? '';
    made.push(basename(own));
    return { child, stray, own };
  }

  const gone = (pid: number) => eventually(() => (existsSync(`/proc/${pid}`) ? undefined : true));
  const STRAY = 'setsid bash -c "echo \\$\\$; exec sleep 300" &';

  test('When a program ends, then what it has started goes with it, in whatever session it is', async () => {
    const { stray, own } = await start(`${STRAY} sleep 0.5`);
    expect(own).toMatch(/\/dr-syncer-[0-9a-f]{24}$/);
    await gone(stray);
  });

  test('When a program is ended, then the same', async () => {
    const { child, stray } = await start(`${STRAY} wait`);
    killGroup(child);
    await gone(stray);
  });

  test('Then no cgroup is left', async () => {
    const probe = await cgroups?.make();
    const dir = dirname(probe?.path ?? '');
    await probe?.remove();
    // Other suites make cgroups of their own there.
    const own = [probe?.path ?? '', ...made.map((name) => join(dir, name))];
    await eventually(() => (own.some((path) => existsSync(path)) ? undefined : true));
  });
});
