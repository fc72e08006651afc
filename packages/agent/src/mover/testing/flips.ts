import { spawn } from 'node:child_process';
import { lchownSync, lstatSync, readdirSync } from 'node:fs';
import { chmod, chown, lchown, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { checksum } from '../../server/testing/hostile/canary.js';
import { run } from '../../server/testing/process.js';
import { launch } from '../../identity/launch.js';
import { verifyProcess } from '../../identity/verify.js';
import { AttributeHelper } from '../permissions/attribute-helper.js';
import { rootIdentity, type TestAgent } from './agent.js';

const FLIP = fileURLToPath(new URL('../../../native/testing/flip.c', import.meta.url));
const TENANT = 1_000_690_000;
const GROUP = 1_000_690_001;
const VICTIMS = 20;

export interface FlipResult {
  /** Exchanges that the attacker got done. */
  readonly flips: number;
  readonly transfers: number;
  readonly passes: number;
  /** Entries that passes changed: they did work while they were attacked. */
  readonly changed: number;
  /** Nothing around the volume is other than before: contents, owners, modes, times. */
  readonly outsideUntouched: boolean;
  /** Entries outside that a walk by path changed under the same attack: what the attack is worth. */
  readonly byPath: number;
}

async function plant(dir: string): Promise<void> {
  await mkdir(join(dir, 'below'), { recursive: true });
  for (let i = 0; i < VICTIMS; i++) await writeFile(join(dir, i % 2 ? 'below' : '.', `f${i}`), 'victim');
}

/** A tenant's volume: deep enough that a walk is in it for a while, with pairs to exchange on every level. */
async function plantVolume(root: string, outside: string): Promise<string[]> {
  const pairs: string[] = [];
  for (const level of ['.', 'a', 'a/b', 'a/b/c']) {
    const dir = join(root, level);
    await mkdir(join(dir, 'real', 'below'), { recursive: true });
    for (let i = 0; i < VICTIMS; i++) await writeFile(join(dir, 'real', `f${i}`), 'tenant');
    await symlink(outside, join(dir, 'link'));
    await writeFile(join(dir, 'file'), 'tenant');
    await symlink(join(outside, 'f0'), join(dir, 'filelink'));
    pairs.push(join(dir, 'real'), join(dir, 'link'), join(dir, 'file'), join(dir, 'filelink'));
  }
  await run('chown', ['-hR', `${TENANT}:${TENANT}`, root]);
  return pairs;
}

async function startFlipping(program: string, seconds: number, pairs: readonly string[]): Promise<number> {
  const as = ['--reuid', `${TENANT}`, '--regid', `${TENANT}`, '--clear-groups', '--'];
  const child = spawn('setpriv', [...as, program, String(seconds), ...pairs], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const out: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(Number(Buffer.concat(out).toString())));
  });
}

/** What many programs do: each entry by its path. */
function walkByPath(path: string, gid: number): void {
  try {
    lchownSync(path, 4_294_967_295, gid);
    if (!lstatSync(path).isDirectory()) return;
    for (const name of readdirSync(path)) walkByPath(join(path, name), gid);
  } catch {
    // Swapped meanwhile.
  }
}

/**
 * Passes over group and label, of everything and of names, and transfers, in a volume whose owner exchanges directories
 * and files for links to the outside all the while.
 */
export async function flipWhileWorking(agent: TestAgent, seconds: number): Promise<FlipResult> {
  const program = join(dirname(agent.config.attributesPath), 'flip');
  const built = await run('cc', ['-O2', '-D_GNU_SOURCE', '-Wall', '-Werror', '-o', program, FLIP]);
  if (built.code !== 0) throw new Error(built.stderr);
  const [from, to] = [await agent.kubelet.volume(), await agent.kubelet.volume()];
  // Beside the volume, on its file system: a link or a rename would do.
  const outside = join(agent.kubelet.dir, 'data', 'outside');
  await plant(outside);
  const pairs = await plantVolume(to.path, outside);
  await plantVolume(from.path, outside);
  await chmod(agent.kubelet.dir, 0o755);
  const before = await checksum([outside]);
  const end = Date.now() + seconds * 1000;
  const flipping = startFlipping(program, seconds, pairs);
  const result = { transfers: 0, passes: 0, changed: 0 };
  const transfers = (async () => {
    while (Date.now() < end) {
      await writeFile(join(from.path, 'a/b/c/real/f1'), `${Date.now()}`);
      // Whether it succeeds is up to the attacker.
      await agent.push(from, to, { source: rootIdentity, destination: rootIdentity });
      result.transfers += 1;
    }
  })();
  for (let pass = 0; Date.now() < end; pass++) {
    result.changed += await onePass(agent, to.path, pass, pairs);
    result.passes += 1;
  }
  await transfers;
  const flips = await flipping;
  const outsideUntouched = (await checksum([outside])) === before;
  return { ...result, flips, outsideUntouched, byPath: await attackByPath(program, to.path, outside, pairs) };
}

/** Group and label differ from those of the pass before, so that each entry is changed. */
async function onePass(
  agent: TestAgent,
  volume: string,
  pass: number,
  pairs: readonly string[],
): Promise<number> {
  const handle = await open(volume, 'r');
  const deps = { launcher: { launch, verify: verifyProcess }, path: agent.config.attributesPath };
  const wanted = {
    fsGroup: GROUP + (pass % 2),
    label: `system_u:object_r:container_file_t:s0:c${pass % 2}`,
  };
  try {
    const target = { fd: handle.fd, partOfLarger: pass % 3 === 0, nestedMounts: pass % 5 === 0 };
    const helper = await AttributeHelper.start(deps, target, wanted, AbortSignal.timeout(60_000));
    const names = pairs.flatMap((path) => [path, join(path, 'f0'), join(path, 'below', 'f1')]);
    const end =
      pass % 4 === 3
        ? await helper.applyTo(names.map((path) => path.slice(volume.length + 1)))
        : await helper.applyToAll();
    await helper.close();
    return end.groupsChanged + end.labelsChanged;
  } finally {
    await handle.close();
  }
}

async function attackByPath(
  program: string,
  volume: string,
  outside: string,
  pairs: readonly string[],
): Promise<number> {
  for (let i = 0; i < pairs.length; i += 2) await ensurePair(pairs[i] ?? '', pairs[i + 1] ?? '', outside);
  const flipping = startFlipping(program, 2, pairs);
  for (const end = Date.now() + 2000; Date.now() < end;) {
    walkByPath(volume, GROUP);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await flipping;
  const all = [outside, ...readdirSync(outside).map((name) => join(outside, name))];
  const hit = all.filter((path) => lstatSync(path).gid === GROUP);
  for (const path of hit) await lchown(path, 0, 0);
  return hit.length;
}

/** A transfer may have removed one of the two. */
async function ensurePair(directory: string, link: string, outside: string): Promise<void> {
  await run('rm', ['-rf', directory, link]);
  await mkdir(directory, { recursive: true });
  await symlink(outside, link);
  await chown(directory, TENANT, TENANT);
  await lchown(link, TENANT, TENANT);
}
