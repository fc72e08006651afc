import { createHash, randomBytes } from 'node:crypto';
import {
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { run } from '../cluster/process/run.js';
import { compareManifests, type Difference, describeDifferences } from '../tree/compare.js';
import { parseManifest } from '../tree/manifest.js';
import { treeTool } from '../tree/tools.js';

export interface TreeSize {
  /** Big files that take most of the time, of this many MiB each. */
  readonly bigFiles: number;
  readonly bigMiB: number;
  readonly smallFiles: number;
  readonly hardLinks: number;
  readonly sparseGiB: number;
}

/** The tree with everything in it, and beside it what takes long and what is at the limits of a file system. */
export async function makeTree(root: string, size: TreeSize): Promise<void> {
  const odd = join(root, 'odd');
  await mkdir(odd);
  await run('python3', [treeTool('make_tree.py'), odd, '--size-mb', '10', '--small-files', '100']);
  await mkdir(join(root, 'big'));
  for (let index = 0; index < size.bigFiles; index += 1) {
    await writeFile(join(root, 'big', String(index)), randomBytes(size.bigMiB << 20));
  }
  await mkdir(join(root, 'small'));
  for (let index = 0; index < size.smallFiles; index += 1) {
    await writeFile(join(root, 'small', String(index)), `small ${index} `.repeat(300));
  }
  await makeLinks(join(root, 'links'), size.hardLinks);
  await makeDeep(root);
  const sparse = join(root, 'sparse');
  await writeFile(sparse, 'begin');
  await truncate(sparse, size.sparseGiB * 2 ** 30);
}

async function makeLinks(directory: string, count: number): Promise<void> {
  await mkdir(directory);
  await writeFile(join(directory, '0'), 'linked');
  for (let index = 1; index < count; index += 1) {
    await link(join(directory, '0'), join(directory, String(index)));
  }
}

/** Close to the longest path that rsync takes (MAXPATHLEN, 4096, with the directory that it works in). */
const DEEP_BYTES = 3_600;

/** Deeper than a path may be at once: each level is made from the one above. */
async function makeDeep(root: string): Promise<void> {
  const name = 'd'.repeat(199);
  const levels = Math.floor(DEEP_BYTES / (name.length + 1));
  await mkdir(join(root, ...Array.from({ length: levels }, () => name)), { recursive: true });
  await writeFile(join(root, ...Array.from({ length: levels }, () => name), 'bottom'), 'deep');
}

/** A new state of the tree. Some files are written again with the same size within the second of their last change. */
export async function changeTree(root: string, seed: number): Promise<void> {
  for (const name of await readdir(join(root, 'big'))) await rewrite(join(root, 'big', name));
  const smalls = (await readdir(join(root, 'small'))).sort();
  for (const [index, name] of smalls.entries()) {
    const path = join(root, 'small', name);
    if (index % 40 === seed % 40) await rm(path);
    else if (index % 40 === (seed + 1) % 40) await rename(path, `${path}-${seed}`);
    else if (index % 10 === seed % 10) await rewriteWithinSecond(path, `${seed}`);
  }
  for (let index = 0; index < smalls.length / 40; index += 1) {
    await writeFile(join(root, 'small', `new-${seed}-${index}`), `new ${seed} ${index}`.repeat(200));
  }
  await writeFile(join(root, 'links', '0'), `linked ${seed}`);
  await run('python3', [treeTool('make_tree.py'), join(root, 'odd'), '--change', '--seed', String(seed)]);
}

/** In place, as a database does. */
async function rewrite(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    await file.write(randomBytes(size), 0, size, 0);
  } finally {
    await file.close();
  }
}

/** Other content of the same size, with a time that differs by less than a second. */
async function rewriteWithinSecond(path: string, salt: string): Promise<void> {
  const { size, mtimeMs } = await stat(path);
  const block = createHash('sha512').update(`${salt}${path}`).digest('hex');
  await writeFile(path, block.repeat(Math.ceil(size / block.length)).slice(0, size));
  const second = Math.floor(mtimeMs / 1000);
  const fraction = (mtimeMs / 1000 - second + 0.111) % 1;
  await utimes(path, second + fraction, second + fraction);
}

/** What is not the same in two trees, for people; empty: nothing. */
export async function differencesOf(left: string, right: string): Promise<string[]> {
  const manifest = async (root: string) => {
    const args = [treeTool('manifest.py'), root, '--exclude', 'lost+found'];
    return parseManifest((await run('python3', args)).stdout);
  };
  const [one, other] = await Promise.all([manifest(left), manifest(right)]);
  return describeDifferences(compareManifests(one, other).differences.filter(isLoss));
}

/**
 * As `differencesOf`, for trees whose manifests are too large to be held in memory: each is written to a file.
 *
 * @returns entries of the left one, and the first lines that differ
 */
export async function largeDifferencesOf(
  left: string,
  right: string,
): Promise<{ readonly entries: number; readonly differences: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'dr-syncer-manifests-'));
  try {
    const files = [join(dir, 'left'), join(dir, 'right')];
    const write = (root: string, file = '') =>
      run('sh', [
        '-c',
        'exec python3 "$0" "$1" --exclude lost+found > "$2"',
        treeTool('manifest.py'),
        root,
        file,
      ]);
    await Promise.all([left, right].map((root, index) => write(root, files[index])));
    const { stdout } = await run('tail', ['-n', '1', ...files.slice(0, 1)]);
    const differences = await run('sh', ['-c', 'diff "$0" "$1" | head -n 20', ...files]);
    return { entries: Number(/^# entries=(\d+) /.exec(stdout)?.[1]), differences: differences.stdout };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * A hole where the source has zeros is the same file, and fewer blocks: rsync's --sparse makes one of any zeros that it
 * writes (a last page that is one zero byte is enough). The sums of both are compared all the same.
 */
function isLoss(difference: Difference): boolean {
  if (difference.kind !== 'changed') return true;
  return difference.fields.some(
    ({ field, left, right }) => field !== 'sparse' || left !== 'no' || right !== 'yes',
  );
}
