import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Mount } from '../volumes/mountinfo.js';

/** The kernel removes a cgroup only when the last process in it has been waited for. */
const REMOVE_TRIES = 50;
const REMOVE_WAIT_MS = 20;

/**
 * Cgroups (version 2) for the processes that are started, below the one of this process. Nothing is limited by them;
 * they hold together what a process group does not, a process that has made a session of its own, and kill it at once
 * (`cgroup.kill`, Linux 5.14).
 */
export class ProcessCgroups {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * Undefined where they cannot be made. That is most pods: runtimes mount the hierarchy read-only unless they are told
   * otherwise (containerd's `cgroup_writable`).
   *
   * @param ownCgroups text of /proc/self/cgroup
   */
  static async find(mounts: readonly Mount[], ownCgroups: string): Promise<ProcessCgroups | undefined> {
    const dir = ownDirectory(mounts, ownCgroups);
    if (dir === undefined) return undefined;
    const cgroups = new ProcessCgroups(dir);
    try {
      const probe = await cgroups.make();
      await probe.remove();
      return cgroups;
    } catch {
      return undefined;
    }
  }

  /** @throws the error of mkdir(2), or that of a kernel without `cgroup.kill` */
  async make(): Promise<ProcessCgroup> {
    const path = join(this.#dir, `dr-syncer-${randomBytes(12).toString('hex')}`);
    await mkdir(path);
    try {
      await access(join(path, 'cgroup.kill'));
    } catch (err) {
      await rmdir(path);
      throw err;
    }
    return new ProcessCgroup(path);
  }
}

/** For one program and all that it starts. */
export class ProcessCgroup {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The process, and from then on what it forks. @throws the error of write(2): ESRCH when it has ended */
  async add(pid: number): Promise<void> {
    await writeFile(join(this.path, 'cgroup.procs'), String(pid));
  }

  /** SIGKILL to all that is in it, those that are just being forked among them. Once it is removed: nothing. */
  async kill(): Promise<void> {
    await writeFile(join(this.path, 'cgroup.kill'), '1').catch(() => undefined);
  }

  /** Kills what is in it and removes it, or leaves it empty if the kernel takes too long. */
  async remove(): Promise<void> {
    await this.kill();
    for (let i = 0; i < REMOVE_TRIES; i += 1) {
      const done = await rmdir(this.path).then(
        () => true,
        (err: unknown) => (err as NodeJS.ErrnoException).code === 'ENOENT',
      );
      if (done) return;
      await sleep(REMOVE_WAIT_MS);
    }
  }
}

/** Where this process's own cgroup is mounted for writing, see cgroups(7). */
function ownDirectory(mounts: readonly Mount[], ownCgroups: string): string | undefined {
  const path = /^0::(\/.*)$/m.exec(ownCgroups)?.[1];
  const mount = mounts.find(({ fsType, options }) => fsType === 'cgroup2' && options.includes('rw'));
  if (path === undefined || mount === undefined) return undefined;
  const below = relative(mount.root, path);
  return below.startsWith('..') ? undefined : join(mount.mountPoint, below);
}

/** The text that `ProcessCgroups.find` wants. */
export async function readOwnCgroups(): Promise<string> {
  return readFile('/proc/self/cgroup', 'utf8');
}
