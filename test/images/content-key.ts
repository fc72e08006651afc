import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../cluster/paths.js';

/**
 * A name for the content that goes into an image: the same key means that a build would give the same image.
 * @param workspace folder below packages/; what it depends on counts too
 */
export async function workspaceKey(workspace: string): Promise<string> {
  const root = repositoryRoot();
  const folders = await dependencyFolders(root, workspace);
  const files = [
    ...['package.json', 'package-lock.json', '.npmrc', '.dockerignore', 'tsconfig.base.json'],
    join('packages', workspace, 'Dockerfile'),
    ...(await Promise.all(folders.map((folder) => sourceFiles(root, folder)))).flat(),
  ];
  return filesKey(root, files);
}

export async function filesKey(root: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [...files].sort()) {
    hash.update(`${file}\0`);
    hash.update(await readFile(join(root, file)));
  }
  return hash.digest('hex').slice(0, 12);
}

/** The workspace and those of ours that it depends on, as folders. */
async function dependencyFolders(root: string, workspace: string): Promise<string[]> {
  const found = new Set<string>();
  const pending = [workspace];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const folder = join('packages', name);
    if (found.has(folder)) continue;
    found.add(folder);
    const manifest = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    for (const dependency of Object.keys(manifest.dependencies ?? {})) {
      if (dependency.startsWith('@dr-syncer/')) pending.push(dependency.slice('@dr-syncer/'.length));
    }
  }
  return [...found].sort();
}

/** What .dockerignore lets through of a workspace. */
async function sourceFiles(root: string, folder: string): Promise<string[]> {
  const files = (await readdir(join(root, folder)))
    .filter((name) => name === 'package.json' || /^tsconfig.*\.json$/.test(name))
    .map((name) => join(folder, name));
  for (const source of ['src', 'native'].map((name) => join(root, folder, name))) {
    if (!existsSync(source)) continue;
    for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name).slice(root.length + 1);
      const ignored = file.endsWith('.test.ts') || file.includes('/testing/');
      if (entry.isFile() && !ignored) files.push(file);
    }
  }
  return files;
}
