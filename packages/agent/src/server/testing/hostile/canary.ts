import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** In every file around the volume: no client may ever see it. */
export const SECRET = 'canary-7f3a-must-not-be-seen';

export interface HostileTree {
  /** The volume of the keys. */
  readonly volume: string;
  /** Everything else: other volumes, the directories around them. */
  readonly outside: readonly string[];
}

/** A volume with links that lead out of it in every way, and canaries all around. */
export async function plantTree(root: string): Promise<HostileTree> {
  const volume = join(root, 'volumes/tenant');
  const neighbour = join(root, 'volumes/neighbour');
  const host = join(root, 'host');
  for (const dir of [join(volume, 'sub'), join(neighbour, 'sub'), join(host, 'etc')])
    await mkdir(dir, { recursive: true });
  await writeFile(join(volume, 'mine'), 'the tenant may see this');
  await writeFile(join(volume, 'sub/mine'), 'and this');
  for (const dir of [neighbour, join(neighbour, 'sub'), host, join(host, 'etc')]) {
    await writeFile(join(dir, 'secret'), `${SECRET}\n`);
    await writeFile(join(dir, '.rsync-filter'), `${SECRET}\n`);
  }
  await symlink(host, join(volume, 'to-host'));
  await symlink('../../host', join(volume, 'to-host-relative'));
  await symlink(join(host, 'secret'), join(volume, 'to-file'));
  await symlink('../neighbour', join(volume, 'sub/to-neighbour'));
  await symlink('/', join(volume, 'to-root'));
  return { volume, outside: [neighbour, host] };
}

async function describe(path: string): Promise<string[]> {
  const stat = await lstat(path);
  const own = `${path} ${stat.mode} ${stat.uid} ${stat.gid} ${stat.nlink} ${stat.mtimeMs} ${stat.ctimeMs}`;
  if (stat.isSymbolicLink()) return [`${own} ${await readlink(path)}`];
  if (!stat.isDirectory())
    return [
      `${own} ${createHash('sha256')
        .update(await readFile(path))
        .digest('hex')}`,
    ];
  const below = await Promise.all((await readdir(path)).sort().map((name) => describe(join(path, name))));
  return [own, ...below.flat()];
}

/** Names, kinds, owners, modes, times, link targets and contents of everything below these directories. */
export async function checksum(paths: readonly string[]): Promise<string> {
  const lines = await Promise.all(paths.map(describe));
  return lines.flat().join('\n');
}
