import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The checkout's root. Looked up from this file, which runs as `test/cluster/paths.ts` under jest and as
 * `test/dist/cluster/paths.js` when compiled.
 */
export function repositoryRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'test/cluster/kube/go.mod'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error('test/cluster/kube/go.mod not found above this file');
    directory = parent;
  }
  return directory;
}

/** A file of `test/cluster/` that is not compiled: scripts, the Go module. */
export function clusterAsset(...segments: string[]): string {
  return join(repositoryRoot(), 'test/cluster', ...segments);
}
