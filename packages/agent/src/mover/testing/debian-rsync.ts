import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { run } from '../../server/testing/process.js';

const CACHE = join(homedir(), '.cache/dr-syncer/rsync');
const PATIENCE = { timeoutMs: 120_000 };

/** Program of the rsync, or why it could not be had. */
export type DebianRsync = { readonly path: string } | { readonly missing: string };

/**
 * An rsync of another version than the installed one, from Debian's (or Ubuntu's) own package, unpacked into a cache
 * outside of the checkout and not installed.
 *
 * @param version upstream's, as `3.2.7`
 */
export async function debianRsync(version: string): Promise<DebianRsync> {
  const target = join(CACHE, version);
  const path = join(target, 'usr/bin/rsync');
  try {
    if (await runnable(path)) return { path };
    const revision = await findPackage(version);
    await mkdir(CACHE, { recursive: true });
    const work = await mkdtemp(join(CACHE, 'unpack-'));
    try {
      await succeed('apt-get', ['download', '-qq', `rsync=${revision}`], work);
      const [file = ''] = (await readdir(work)).filter((name) => name.endsWith('.deb'));
      await succeed('dpkg', ['-x', join(work, file), join(work, 'tree')], work);
      // Another worker may have been faster; its copy is as good.
      await rename(join(work, 'tree'), target).catch(() => undefined);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return (await runnable(path)) ? { path } : { missing: `${path} does not run` };
  } catch (err) {
    return { missing: err instanceof Error ? err.message : String(err) };
  }
}

async function runnable(path: string): Promise<boolean> {
  const there = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  return there && (await run(path, ['--version'])).code === 0;
}

/** Newest package of that version that the archive has; its lists may be missing on a fresh machine. */
async function findPackage(version: string): Promise<string> {
  const found = (await known(version)) ?? (await refreshed(version));
  if (found === undefined) throw new Error(`the package archive has no rsync ${version}`);
  return found;
}

async function refreshed(version: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  await succeed('apt-get', ['update', '-qq'], '/');
  return known(version);
}

async function known(version: string): Promise<string | undefined> {
  const lines = (await succeed('apt-cache', ['madison', 'rsync'], '/')).split('\n');
  const revisions = lines.map((line) => line.split('|')[1]?.trim() ?? '');
  return revisions.find((revision) => revision.startsWith(`${version}-`));
}

async function succeed(program: string, args: readonly string[], cwd: string): Promise<string> {
  const ran = await run(program, args, { ...PATIENCE, cwd });
  if (ran.code !== 0) throw new Error(`${program} ${args.join(' ')}: ${ran.stderr.trim()}`);
  return ran.stdout;
}
