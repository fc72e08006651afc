import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { repositoryRoot } from '../cluster/paths.js';
import { run } from '../cluster/process/run.js';
import { readSettings } from '../cluster/settings.js';
import { ensureMachineImage, type MachineImage } from './image.js';

/**
 * Runs the checks of `guest.ts` in an emulated machine whose kernel enforces SELinux: `make test-selinux`. No
 * virtualisation is needed. The last line is `N passed, N failed`.
 */
const LIMIT_MS = 8 * 60_000;

interface Outcome {
  passed: number;
  failed: number;
  /** The checks came to their end. */
  complete: boolean;
}

/** The console's lines; what is of the checks is shown, all of it if they do not come to their end. */
async function boot({ kernel, initrd, disk }: MachineImage, work: string): Promise<Outcome> {
  const volumes = join(work, 'volume.img');
  await run('truncate', ['--size=64M', volumes]);
  await run('mkfs.ext4', ['-q', volumes]);
  const helper = join(work, 'shared');
  await run('mkdir', [helper]);
  await run(join(repositoryRoot(), 'packages/agent/native/build.sh'), [
    join(helper, 'dr-syncer-attributes'),
    '-static-pie',
  ]);
  const scratch = join(work, 'scratch');
  await run('mkdir', [scratch]);
  const share = (path: string, tag: string, mode: string) => [
    '-virtfs',
    `local,path=${path},mount_tag=${tag},security_model=none,readonly=${mode},multidevs=remap`,
  ];
  const drive = (file: string) => ['-drive', `file=${file},format=raw,if=virtio,snapshot=on`];
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ...['-machine', 'q35,accel=tcg', '-cpu', 'max', '-smp', '2', '-m', '1024', '-nographic', '-no-reboot'],
      ...['-nic', 'none', '-kernel', kernel, '-initrd', initrd],
      ...drive(disk),
      ...drive(volumes),
      ...share(repositoryRoot(), 'repo', 'on'),
      ...share(helper, 'helper', 'on'),
      ...share(scratch, 'scratch', 'off'),
      '-append',
      'root=/dev/vda rw console=ttyS0 security=selinux selinux=1 enforcing=0 init=/usr/local/sbin/guest-init quiet panic=-1',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const timer = setTimeout(() => machine.kill('SIGKILL'), LIMIT_MS);
  const outcome: Outcome = { passed: 0, failed: 0, complete: false };
  const lines: string[] = [];
  for await (const raw of createInterface({ input: machine.stdout })) {
    const line = raw.replace(/\r$/, '');
    lines.push(line);
    if (/^(?:ok|not ok|guest:) /.test(line)) process.stdout.write(`${line}\n`);
    if (line.startsWith('ok ')) outcome.passed += 1;
    if (line.startsWith('not ok ')) outcome.failed += 1;
    if (line === 'guest: ended with 0' || line === 'guest: ended with 1') outcome.complete = true;
  }
  clearTimeout(timer);
  if (!outcome.complete || outcome.failed > 0) process.stdout.write(`${lines.slice(-200).join('\n')}\n`);
  return outcome;
}

async function main(): Promise<void> {
  const report = (line: string) => void process.stdout.write(`${line}\n`);
  const image = await ensureMachineImage(readSettings(), report);
  const work = await mkdtemp(join(tmpdir(), 'dr-syncer-selinux-'));
  try {
    const { passed, failed, complete } = await boot(image, work);
    // A machine that did not get to the end has failed at what it did not get to.
    const lost = complete && passed > 0 ? 0 : 1;
    report(`${passed} passed, ${failed + lost} failed`);
    if (failed + lost > 0) process.exitCode = 1;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

await main();
