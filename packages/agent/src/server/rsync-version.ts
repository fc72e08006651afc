import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** `3.5.0`, from the first line of `rsync --version`. @throws Error when there is no rsync there. */
export async function rsyncVersion(path: string, signal: AbortSignal): Promise<string> {
  const { stdout } = await run(path, ['--version'], { signal, env: { LC_ALL: 'C' }, timeout: 10_000 });
  const version = /^rsync\s+version\s+v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} does not say which version it is`);
  return version;
}

export function atLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}
