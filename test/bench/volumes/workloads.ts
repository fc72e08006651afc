import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const MIB = 1 << 20;
const FILES_IN_DIRECTORY = 100;
const SMALL_BYTES = 4_096;

export async function clear(root: string): Promise<void> {
  for (const name of await readdir(root)) await rm(join(root, name), { recursive: true, force: true });
}

/** @param scale 1: 1 GiB in 8 files */
export async function bigFiles(root: string, scale: number): Promise<void> {
  await clear(root);
  const size = Math.round(128 * scale);
  for (let index = 0; index < 8; index += 1) {
    // Noise, so that nothing is won by leaving something out.
    await writeFile(join(root, `big-${index}`), randomBytes(size * MIB));
  }
}

/** @param scale 1: 50,000 files of 4 KiB in 500 directories */
export async function smallFiles(root: string, scale: number): Promise<void> {
  await clear(root);
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
