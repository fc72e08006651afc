import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const MIB = 1 << 20;
const FILES_IN_DIRECTORY = 100;
const SMALL_BYTES = 4_096;
const BIG = 'big-';

/**
 * Empties it and deletes no file: for five minutes ext4 hands no inode out again that was deleted, and steps over each of
 * them whenever it looks for one. 50,000 files took 3 s, and after as many deletions 15 s. Large files give up their space.
 *
 * @returns the directory, on the same file system, that holds what was there
 */
export async function setAside(root: string): Promise<string> {
  const aside = await mkdtemp(join(dirname(root), 'bench-aside-'));
  for (const name of await readdir(root)) {
    await rename(join(root, name), join(aside, name));
    if (name.startsWith(BIG)) await truncate(join(aside, name));
  }
  return aside;
}

/** @param scale 1: 1 GiB in 8 files */
export async function bigFiles(root: string, scale: number): Promise<void> {
  const size = Math.round(128 * scale);
  for (let index = 0; index < 8; index += 1) {
    // Noise, so that nothing is won by leaving something out.
    await writeFile(join(root, `${BIG}${index}`), randomBytes(size * MIB));
  }
}

/** @param scale 1: 50,000 files of 4 KiB in 500 directories */
export async function smallFiles(root: string, scale: number): Promise<void> {
  const directories = Math.round(500 * scale);
  for (let directory = 0; directory < directories; directory += 1) {
    const path = join(root, `dir-${directory}`);
    await mkdir(path);
    const noise = randomBytes(SMALL_BYTES * FILES_IN_DIRECTORY);
    const writes = Array.from({ length: FILES_IN_DIRECTORY }, (_, index) =>
      writeFile(join(path, `file-${index}`), noise.subarray(index * SMALL_BYTES, (index + 1) * SMALL_BYTES)),
    );
    await Promise.all(writes);
  }
}

/** 100 of the small files, spread over all directories, with other content. */
export async function changeSome(root: string, scale: number): Promise<void> {
  const directories = Math.round(500 * scale);
  for (let index = 0; index < 100; index += 1) {
    const directory = Math.floor((index * directories) / 100) % directories;
    await writeFile(
      join(root, `dir-${directory}`, `file-${index % FILES_IN_DIRECTORY}`),
      randomBytes(SMALL_BYTES),
    );
  }
}
