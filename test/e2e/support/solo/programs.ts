import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../../../');

/** The repository's root: two levels more from the compiled file than from its source. */
function repository(): string {
  return import.meta.dirname.includes('/test/dist/') ? join(ROOT, '..') : ROOT;
}

export interface Program {
  readonly pid: number;
  /** Everything it has written so far. */
  log(): Promise<string>;
  /** SIGTERM, and SIGKILL to what does not end within ten seconds. */
  stop(): Promise<void>;
}

/** Starts `node packages/NAME/dist/main.js ARGS` with these settings and no others; it ends with this process. */
export function startProgram(
  name: 'agent' | 'controller',
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  logFile: string,
): Program {
  const main = join(repository(), 'packages', name, 'dist', 'main.js');
  const output = createWriteStream(logFile);
  const { PATH = '/usr/bin:/bin' } = process.env; // eslint-disable-line no-restricted-properties -- for the child
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, main, ...args], {
    env: { PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.pipe(output, { end: false });
  child.stderr.pipe(output, { end: false });
  return {
    pid: child.pid ?? 0,
    log: () => readFile(logFile, 'utf8'),
    stop: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(timer);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export function manifest(file: string): Promise<string> {
  return readFile(join(repository(), 'manifests', file), 'utf8');
}
