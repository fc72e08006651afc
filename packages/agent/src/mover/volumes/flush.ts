import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Has the kernel write everything that was written to the file system of a directory to its device: syncfs(2), by way of
 * sync(1), since Node has no call for it. A copy that is reported as done survives a crash of the node.
 *
 * @param cwd the directory, by a path that leads to it and nowhere else
 * @throws the error of sync(1), which stands for one of the device: EIO, ENOSPC, EDQUOT
 */
export async function flushFileSystem(cwd: string, signal: AbortSignal): Promise<void> {
  await run('/usr/bin/sync', ['--file-system', '.'], { cwd, signal, env: { LC_ALL: 'C' } });
}
