import { existsSync } from 'node:fs';
import { readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes cgroups that have no process any more, and their parent if that was the last one below it. */
export async function removeCgroups(parent: string, names: readonly string[]): Promise<void> {
  for (const hierarchy of await cgroupHierarchies()) {
    for (const name of names) await removeCgroup(join(hierarchy, parent, name));
    await rmdir(join(hierarchy, parent)).catch(() => undefined);
  }
}

/** The kernel needs a moment after the last process ended: EBUSY till then. Left over, one delays each kubelet start by seconds. */
async function removeCgroup(directory: string): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const code = await rmdir(directory).then(
      () => undefined,
      (error: unknown) => (error as NodeJS.ErrnoException).code,
    );
    if (code !== 'EBUSY') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** One with cgroup v2; with v1, one for each controller. */
async function cgroupHierarchies(): Promise<string[]> {
  const root = '/sys/fs/cgroup';
  if (existsSync(join(root, 'cgroup.controllers'))) return [root];
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  return mounts
    .split('\n')
    .filter((line) => line.includes(' - cgroup ') || line.includes(' - cgroup2 '))
    .map((line) => line.split(' ')[4] ?? '');
}
