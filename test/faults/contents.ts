import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';

/** Content of each regular file by path (latin1, so that any bytes are told apart). */
export type Contents = ReadonlyMap<string, string>;

/** Where rsync keeps what is not whole yet. */
const PARTIAL_DIR = '.dr-syncer-partial';

/**
 * Reads all files below a directory while others may be writing to it: each is opened once, so what is hashed is what had
 * that name at that moment. Files that go meanwhile are left out.
 */
export async function contentsOf(root: string): Promise<Contents> {
  const contents = new Map<string, string>();
  /** Files with many names are read once: ten thousand of them are one. */
  const hashes = new Map<string, string>();
  const hashOfFile = async (path: Buffer): Promise<string> => {
    const { dev, ino, size, mtimeNs, ctimeNs, nlink } = await lstat(path, { bigint: true });
    if (nlink === 1n) return hashOf(path);
    const key = [dev, ino, size, mtimeNs, ctimeNs].join();
    const hash = hashes.get(key) ?? (await hashOf(path));
    hashes.set(key, hash);
    return hash;
  };
  const directories = [''];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    const path = Buffer.from(`${root}/${directory}`, 'latin1');
    const entries = await readdir(path, { withFileTypes: true, encoding: 'buffer' }).catch(() => []);
    for (const entry of entries) {
      const name = entry.name.toString('latin1');
      if (name === PARTIAL_DIR || (directory === '' && name === 'lost+found')) continue;
      const below = directory === '' ? name : `${directory}/${name}`;
      if (entry.isDirectory()) directories.push(below);
      if (!entry.isFile()) continue;
      const hash = await hashOfFile(Buffer.from(`${root}/${below}`, 'latin1')).catch(() => undefined);
      if (hash !== undefined) contents.set(below, hash);
    }
  }
  return contents;
}

async function hashOf(path: Buffer): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/**
 * What in a copy is neither as it was before the transfer nor as it is to be: files that are half, and files that are
 * missing though they are in both.
 */
export function brokenFiles(copy: Contents, before: Contents, after: Contents): string[] {
  const broken: string[] = [];
  for (const [path, hash] of copy) {
    const known = before.get(path) === hash || after.get(path) === hash;
    if (!known && !isTemporary(path, before, after)) broken.push(`${path}: neither old nor new`);
  }
  for (const path of before.keys()) {
    if (after.has(path) && !copy.has(path)) broken.push(`${path}: missing`);
  }
  return broken;
}

/** rsync writes to `.NAME.XXXXXX` beside the file; a killed one leaves it there until the next run. */
function isTemporary(path: string, before: Contents, after: Contents): boolean {
  const match = /^(.*\/)?\.([^/]*)\.[A-Za-z0-9]{6}$/s.exec(path);
  if (match === null) return false;
  const [, directory = '', name = ''] = match;
  // Long names are cut short so that the temporary name still fits.
  const of = (names: Contents) =>
    [...names.keys()].some(
      (one) => one.startsWith(`${directory}${name}`) || `.${one}`.startsWith(`${directory}${name}`),
    );
  return of(before) || of(after);
}
