import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Runs a program; an error with its standard error when it fails. Returns seconds. */
export async function timed(program: string, args: readonly string[]): Promise<number> {
  const start = process.hrtime.bigint();
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-2000)));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ended with ${code}: ${stderr}`));
    });
  });
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** Seconds until the first byte of a program's output; then it is ended. */
export async function timeToFirstByte(program: string, args: readonly string[]): Promise<number> {
  const start = process.hrtime.bigint();
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const seconds = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', () => resolve(Number(process.hrtime.bigint() - start) / 1e9));
    child.once('close', () => reject(new Error('no byte came')));
    child.once('error', reject);
  });
  await end(child);
  return seconds;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Waits for what a server says on standard output or error when it listens. */
export async function saying(child: ChildProcess, text: RegExp): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
      if (text.test(said)) resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`server ended with ${code}: ${said}`)));
  });
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await closed;
  clearTimeout(patience);
  await sleep(10);
}
