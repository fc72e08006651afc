import { readFile, rename, writeFile } from 'node:fs/promises';

/** Writes a file so that nobody ever sees half of it. */
export async function writeAtomically(path: string, content: string, mode = 0o600): Promise<void> {
  const fresh = `${path}.${process.pid}.new`;
  await writeFile(fresh, content, { mode });
  await rename(fresh, path);
}

/** Leaves a file that has this content as it is: kube-proxy ends when its configuration is written again. */
export async function writeIfChanged(path: string, content: string): Promise<void> {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before !== content) await writeAtomically(path, content);
}
