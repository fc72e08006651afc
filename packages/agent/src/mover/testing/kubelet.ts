import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { VolumeRef } from '@dr-syncer/ssh';

import { run } from '../../server/testing/process.js';
import { readMounts } from '../volumes/mounts.js';

const PREFIX = 'dr-syncer-kubelet-';

/** A kubelet directory with real mounts, for root. */
export class TestKubelet {
  readonly dir: string;
  readonly #mounted: string[] = [];
  #count = 0;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** @param where others look for what was abandoned, too */
  static async make(where = tmpdir()): Promise<TestKubelet> {
    const root = await realpath(where);
    await removeAbandoned(root);
    return new TestKubelet(await mkdtemp(join(root, `${PREFIX}${process.pid}-`)));
  }

  /** A volume for a pod of its own: a bind mount of a new directory, or a tmpfs of `tmpfsBytes`. */
  async volume(
    options: { readonly tmpfsBytes?: number; readonly readOnly?: boolean } = {},
  ): Promise<TestVolume> {
    this.#count += 1;
    const ref = { podUid: `0000-${this.#count}`, pvName: `pv-${this.#count}` };
    const data = join(this.dir, 'data', ref.pvName);
    await mkdir(data, { recursive: true });
    const path = this.pathOf(ref);
    const source =
      options.tmpfsBytes === undefined
        ? ['--bind', data]
        : ['-t', 'tmpfs', '-o', `size=${options.tmpfsBytes}`, 'none'];
    await this.mount(path, source);
    if (options.readOnly) await command('mount', ['-o', 'remount,bind,ro', path]);
    return { ref, path };
  }

  /** Where volumes are that are mere directories. */
  get localPathDir(): string {
    return join(this.dir, 'local-path');
  }

  /** A directory that a PV names, as those of the local-path provisioner. */
  async localPath(): Promise<TestVolume> {
    this.#count += 1;
    const name = `pv-${this.#count}`;
    const path = join(this.localPathDir, name);
    await mkdir(path, { recursive: true });
    return { ref: { podUid: `0000-${this.#count}`, pvName: name, hostPath: path }, path };
  }

  pathOf({ podUid, pvName }: VolumeRef): string {
    return join(this.dir, 'pods', podUid, 'volumes/kubernetes.io~csi', pvName, 'mount');
  }

  /** @param args of mount(8), up to the directory */
  async mount(path: string, args: readonly string[]): Promise<void> {
    await mkdir(path, { recursive: true });
    await command('mount', [...args, path]);
    this.#mounted.push(path);
  }

  async unmount(path: string): Promise<void> {
    await command('umount', [path]);
    this.#mounted.splice(this.#mounted.lastIndexOf(path), 1);
  }

  /** Fails when something still has a volume open. */
  async remove(): Promise<void> {
    for (const path of this.#mounted.splice(0).reverse()) await command('umount', [path]);
    await rm(this.dir, { recursive: true, force: true });
  }
}

export interface TestVolume {
  readonly ref: VolumeRef;
  readonly path: string;
}

/** What test runs that were killed have left mounted. What is still in use is left for the next run. */
async function removeAbandoned(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const below = join(root, name, 'pods/');
    const left = (await readMounts()).filter(({ mountPoint }) => mountPoint.startsWith(below)).reverse();
    // Another suite may be at it as well, and what the killed one has started may still be ending.
    for (const { mountPoint } of left) await run('umount', ['--lazy', mountPoint]);
    await rm(join(root, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

export async function command(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, args);
  if (code !== 0) throw new Error(`${program}: ${stderr}`);
  return stdout;
}
