import { type FileHandle, opendir, readFile, readlink, stat, statfs } from 'node:fs/promises';

import { DrError } from '@dr-syncer/api';
import type { VolumeInfo } from '@dr-syncer/ssh';

import { type Mount, optionValue } from './mountinfo.js';
import { readMounts } from './mounts.js';

/** Which directory of which mount it is, whatever its name leads to later. */
export interface VolumeIdentity {
  readonly mountId: number;
  readonly dev: bigint;
  readonly ino: bigint;
}

/**
 * The root directory of a volume, held open. It stays the same directory whatever happens to the path, and as long as
 * it is open the volume cannot be unmounted, so it has to be closed.
 */
export class OpenVolume {
  readonly path: string;
  readonly identity: VolumeIdentity;
  readonly #handle: FileHandle;
  /** As it was when the volume was opened. */
  readonly mount: Mount;

  /** @param path of the volume: where the mount is, or below it for a volume that is a mere directory */
  constructor(handle: FileHandle, mount: Mount, identity: VolumeIdentity, path: string) {
    this.#handle = handle;
    this.mount = mount;
    this.identity = identity;
    this.path = path;
  }

  /** For `spawn`: the child resolves it to the open directory itself, not to a name. */
  get cwd(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  /** For `spawn`'s `stdio`: the child gets the directory under a number of its own. */
  get fd(): number {
    return this.#handle.fd;
  }

  get readOnly(): boolean {
    return this.mount.options.includes('ro') || this.mount.superOptions.includes('ro');
  }

  /** @throws the error of statfs(2) or readdir(3) */
  async info(): Promise<VolumeInfo> {
    const { fsType, source, superOptions } = this.mount;
    const mountContext = optionValue(superOptions, 'context');
    const [space, root] = await Promise.all([statfs(this.cwd), stat(this.cwd, { bigint: true })]);
    return {
      path: this.path,
      fsType,
      source,
      readOnly: this.readOnly,
      seclabel: superOptions.includes('seclabel'),
      ...(mountContext === undefined ? {} : { mountContext }),
      capacityBytes: space.blocks * space.bsize,
      usedBytes: (space.blocks - space.bfree) * space.bsize,
      empty: await isEmpty(this.cwd),
      rootMode: Number(root.mode) & 0o7777,
      rootId: `${root.ino}:${root.birthtimeNs}`,
    };
  }

  /**
   * The kubelet may have unmounted the volume or mounted another one over it since it was opened: then nothing may
   * start in it any more.
   *
   * @throws DrError VolumeNotMounted
   */
  async assertMounted(): Promise<void> {
    const { mountId, dev, ino } = this.identity;
    const now = await stat(this.path, { bigint: true }).catch(() => undefined);
    const mounted = (await readMounts()).some(
      ({ id, mountPoint }) => id === mountId && mountPoint === this.mount.mountPoint,
    );
    if (mounted && now?.dev === dev && now.ino === ino) return;
    throw new DrError(
      'VolumeNotMounted',
      `the volume that was at ${this.path} is not mounted there any more`,
    );
  }

  /** Another file system, or a part of one, is mounted on something in the volume. */
  async hasMountsInside(): Promise<boolean> {
    return (await readMounts()).some(({ parentId }) => parentId === this.identity.mountId);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/**
 * Takes over an open directory.
 *
 * @param path where it is, without symbolic links
 * @param candidates mounts that it may be the root of, or in
 * @throws DrError VolumeNotFound when it is in none of them
 */
export async function identifyVolume(
  handle: FileHandle,
  path: string,
  candidates: readonly Mount[],
): Promise<OpenVolume> {
  const link = `/proc/self/fd/${handle.fd}`;
  const mountId = Number(
    /^mnt_id:\s*(\d+)$/m.exec(await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8'))?.[1],
  );
  const mount = candidates.find(({ id }) => id === mountId);
  // The link names where the directory is: not the same when a component of the path was a symbolic link.
  if (mount === undefined || (await readlink(link)) !== path) {
    throw new DrError(
      'VolumeNotFound',
      `${path} is not the volume: a link leads elsewhere, or another mount is there`,
    );
  }
  const { dev, ino } = await handle.stat({ bigint: true });
  return new OpenVolume(handle, mount, { mountId, dev, ino }, path);
}

/** Reads two entries at most, however many there are. */
async function isEmpty(path: string): Promise<boolean> {
  const dir = await opendir(path, { bufferSize: 2 });
  for await (const entry of dir) {
    if (entry.name !== 'lost+found') return false;
  }
  return true;
}
