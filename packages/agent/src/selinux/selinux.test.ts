import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { parseMountinfo } from '../mover/volumes/mountinfo.js';
import { canonicalContext, sameContext } from './context.js';
import { SelinuxKernel } from './kernel.js';
import { labelOutcome } from './volume-labels.js';

const label = 'system_u:object_r:container_file_t:s0:c26,c20';

describe('Given contexts', () => {
  test.each([
    [label, 'system_u:object_r:container_file_t:s0:c20,c26'],
    ['u:r:t:s0:c26,c20,c21,c22', 'u:r:t:s0:c20.c22,c26'],
    ['u:r:t:s0-s0:c0.c1023', 'u:r:t:s0-s0:c0.c1023'],
    ['u:r:t', undefined],
    ['u:r:t:', undefined],
    ['u:r:t:s0:c1024', undefined],
    ['u:r:t t:s0', undefined],
    ['u:r:t:s0\0', undefined],
    ['', undefined],
  ])('When %j is spelled as the kernel does, then it is %j', (text, canonical) => {
    expect(canonicalContext(text)).toBe(canonical);
  });

  test.each([
    ['order', label, 'system_u:object_r:container_file_t:s0:c20,c26', true],
    ['ranges', 'u:r:t:s0:c0.c2', 'u:r:t:s0:c2,c1,c0', true],
    ['an older name of the type', label, label.replace('container_file_t', 'svirt_sandbox_file_t'), true],
    ['categories', label, label.replace('c26', 'c27'), false],
    ['types', label, label.replace('container_file_t', 'etc_t'), false],
    ['users', label, label.replace('system_u', 'user_u'), false],
    ['what is no context', 'x', 'x', false],
  ])('When two differ in %s, then they are told apart or not', (_, a, b, same) => {
    expect(sameContext(a, b)).toBe(same);
  });
});

describe('Given lines of mountinfo from an enforcing kernel', () => {
  const mountOf = (options: string) => {
    const [mount] = parseMountinfo(
      `36 25 254:16 / /mnt/a\\040volume rw,relatime shared:7 - ext4 /dev/vdb ${options}\n`,
    );
    if (mount === undefined) throw new Error('no mount');
    return mount;
  };
  const context = (value: string) => `rw,context=${value},errors=remount-ro`;

  test.each([
    ['a volume with labels', true, 'rw,seclabel', 'Labelled'],
    ['a volume without labels', true, 'rw,vers=4.1,addr=10.0.0.1', 'Unsupported'],
    ['a kernel without SELinux', false, 'rw', 'Disabled'],
    ['the same context', true, context(`"${label}"`), 'MountedWithContext'],
    [
      'the same context in other words',
      true,
      context('"system_u:object_r:container_file_t:s0:c20,c26"'),
      'MountedWithContext',
    ],
    [
      'the same context with escapes',
      true,
      context(`"${label.replace(':s0', '\\072s0')}"`),
      'MountedWithContext',
    ],
    ['a root context only', true, `rw,seclabel,rootcontext="${label}"`, 'Labelled'],
  ] as const)('When there is %s, then the outcome is that', (_, enabled, options, outcome) => {
    expect(labelOutcome(label, enabled, mountOf(options))).toBe(outcome);
  });

  test('When the context is another, then that is an error that names both', () => {
    const other = context('"system_u:object_r:container_file_t:s0:c1,c2"');
    expect(() => labelOutcome(label, true, mountOf(other))).toThrow(/c1,c2.*c26,c20/);
    expect(() => labelOutcome(label, true, mountOf(context('system_u:object_r:nfs_t:s0')))).toThrow('nfs_t');
    expect(labelOutcome(undefined, true, mountOf(other))).toBe('NotWanted');
  });
});

describe('Given a kernel', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dr-syncer-selinux-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test('When it knows selinuxfs, then SELinux is enabled, mounted or not', async () => {
    const filesystems = join(dir, 'filesystems');
    await writeFile(filesystems, 'nodev\tsysfs\nnodev\tselinuxfs\n\text4\n');
    expect((await SelinuxKernel.find({ filesystems })).enabled).toBe(true);
    await writeFile(filesystems, 'nodev\tsysfs\n\text4\n');
    expect((await SelinuxKernel.find({ filesystems })).enabled).toBe(false);
    expect((await SelinuxKernel.find({ filesystems: join(dir, 'none') })).enabled).toBe(false);
  });

  test('When it cannot be asked, then contexts are spelled by its rules, and what is none is refused', async () => {
    const kernel = new SelinuxKernel(true, join(dir, 'none'));
    expect(await kernel.canonical(label)).toBe('system_u:object_r:container_file_t:s0:c20,c26');
    await expect(kernel.canonical('nonsense')).rejects.toMatchObject({ code: 'IdentityRefused' });
  });
});
