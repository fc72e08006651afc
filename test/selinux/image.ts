import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { withLock } from '../cluster/process/lock.js';
import { run } from '../cluster/process/run.js';
import type { Settings } from '../cluster/settings.js';
import { aptOptions } from '../images/base.js';

/** A machine that can be booted. */
export interface MachineImage {
  readonly kernel: string;
  readonly initrd: string;
  /** ext4 without a partition table. */
  readonly disk: string;
}

const packages = [
  ...['linux-image-amd64', 'initramfs-tools', 'kmod', 'selinux-policy-default', 'policycoreutils'],
  ...['selinux-utils', 'attr', 'util-linux', 'rsync', 'e2fsprogs', 'libstdc++6'],
];

/** Debian's policy has no container types: the one of volumes, with its older name, as container-selinux has them. */
const CONTAINER_POLICY = `
(type container_file_t)
(roletype object_r container_file_t)
(typealias svirt_sandbox_file_t)
(typealiasactual svirt_sandbox_file_t container_file_t)
(typeattributeset file_type (container_file_t))
(typeattributeset non_security_file_type (container_file_t))
`;

/** The first process: what it runs is in the checkout, which the machine sees as `repo`. */
const INIT = `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /run/repo
modprobe 9pnet_virtio
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 repo /run/repo
sh /run/repo/test/selinux/guest.sh
echo o >/proc/sysrq-trigger
sleep 60
`;

/** Makes it the first time (one to two minutes); what is cached is never changed. */
export async function ensureMachineImage(
  settings: Settings,
  report: (line: string) => void,
): Promise<MachineImage> {
  const parts = [packages, CONTAINER_POLICY, INIT, process.version];
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
  const parent = join(settings.cacheDir, 'selinux');
  const directory = join(parent, key);
  return withLock(join(parent, 'lock'), async () => {
    if (!existsSync(directory)) {
      report('making a machine with SELinux (once; one to two minutes) ...');
      const work = await mkdtemp(join(parent, 'new-'));
      try {
        await make(work);
        for (const old of await readdir(parent)) {
          if (/^[0-9a-f]{12}$/.test(old)) await rm(join(parent, old), { recursive: true });
        }
        await rename(work, directory);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    }
    const at = (name: string) => join(directory, name);
    return { kernel: at('vmlinuz'), initrd: at('initrd.img'), disk: at('disk.img') };
  });
}

async function make(work: string): Promise<void> {
  const root = join(work, 'root');
  await chmod(work, 0o755);
  await run('mmdebstrap', [
    '--variant=minbase',
    `--include=${packages.join(',')}`,
    ...(await aptOptions()),
    'bookworm',
    root,
  ]);
  await copyFile(process.execPath, join(root, 'usr/local/bin/node'));
  await writeFile(join(root, 'usr/local/sbin/guest-init'), INIT, { mode: 0o755 });
  await writeFile(join(root, 'tmp/container.cil'), CONTAINER_POLICY);
  await run('chroot', [root, 'semodule', '--noreload', '--install=/tmp/container.cil']);
  const boot = await readdir(join(root, 'boot'));
  for (const name of ['vmlinuz', 'initrd.img']) {
    const file = boot.find((entry) => entry.startsWith(`${name}-`));
    if (file === undefined) throw new Error(`the kernel's package has no ${name}`);
    await copyFile(join(root, 'boot', file), join(work, name));
  }
  await mkdir(join(root, 'var/lib/kubelet'), { recursive: true });
  await run('mkfs.ext4', ['-q', '-d', root, join(work, 'disk.img'), '2g']);
  await rm(root, { recursive: true });
}
