import { constants } from 'node:fs';
import { type FileHandle, open, readlink } from 'node:fs/promises';
import { relative, sep } from 'node:path';

import { Refused } from './refusals.js';

const FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export interface VolumeDirectory {
  /** Owned by the caller, who closes it. */
  readonly handle: FileHandle;
  readonly realPath: string;
}

/**
 * Opens `dir` below `root` one component at a time, following no symbolic link, through /proc/self/fd: what openat(2)
 * would do, so nothing that is renamed meanwhile leads out of `root`. `root` itself is the operator's and may be a
 * link.
 *
 * @param publishedRoot what `root` is called in `dir`
 * @throws Refused VolumeNotAvailable
 */
export async function openVolumeDirectory(
  root: string,
  publishedRoot: string,
  dir: string,
): Promise<VolumeDirectory> {
  const names = componentsBelow(publishedRoot, dir);
  let handle: FileHandle | undefined;
  try {
    handle = await open(root, constants.O_RDONLY | constants.O_DIRECTORY);
    for (const name of names) {
      const next = await open(`/proc/self/fd/${handle.fd}/${name}`, FLAGS);
      await handle.close();
      handle = next;
    }
    const realPath = await readlink(`/proc/self/fd/${handle.fd}`);
    return { handle, realPath };
  } catch (err) {
    await handle?.close().catch(() => undefined);
    throw new Refused('VolumeNotAvailable', undefined, { cause: err });
  }
}

function componentsBelow(publishedRoot: string, dir: string): string[] {
  const path = relative(publishedRoot, dir);
  const names = path === '' ? [] : path.split(sep);
  if (names.includes('..')) throw new Refused('VolumeNotAvailable');
  return names;
}
