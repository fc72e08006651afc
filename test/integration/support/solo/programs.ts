import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../../../');

/** The repository's root: two levels more from the compiled file than from its source. */
export function repository(): string {
  return import.meta.dirname.includes('/test/dist/') ? join(ROOT, '..') : ROOT;
}

export interface Program {
  readonly pid: number;
  /** Everything it has written so far. */
  log(): Promise<string>;
  /** SIGTERM, and SIGKILL to what does not end within ten seconds. */
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly name: 'agent' | 'controller';
  readonly args?: readonly string[];
  /** These settings and no others. */
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Directory with `ca.crt` and `token`, seen where kubelet would put them. */
  readonly serviceAccount?: string;
}

/** In a mount namespace of its own: the machine has no such directory, and gets none. */
const IN_POD = `
mount -t tmpfs -o size=1m tmpfs /var/run/
mkdir -p /var/run/secrets/kubernetes.io/serviceaccount
cp "$0"/ca.crt "$0"/token /var/run/secrets/kubernetes.io/serviceaccount/
exec "$@"
`;

/** Starts `node packages/NAME/dist/main.js ARGS`; it ends with this process. */
export function startProgram({ name, args = [], env, logFile, serviceAccount }: ProgramOptions): Program {
  const main = join(repository(), 'packages', name, 'dist', 'main.js');
  const output = createWriteStream(logFile);
  const { PATH = '/usr/bin:/bin' } = process.env; // eslint-disable-line no-restricted-properties -- for the child
  const program = [process.execPath, main, ...args];
  const inPod =
    serviceAccount === undefined ? [] : ['unshare', '--mount', '--', 'sh', '-ec', IN_POD, serviceAccount];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...inPod, ...program], {
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
