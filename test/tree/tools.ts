import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Tools in Python that run at the data: on this machine, or in a pod from standard input. */
export type TreeTool = 'manifest.py' | 'make_tree.py';

/** Path of a tool. It lies beside this file's source, which is two directories up from what is compiled of it. */
export function treeTool(name: TreeTool): string {
  const beside = join(import.meta.dirname, name);
  return existsSync(beside) ? beside : join(import.meta.dirname, '..', '..', 'tree', name);
}
