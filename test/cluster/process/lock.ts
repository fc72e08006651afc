import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Runs `work` while holding the kernel's lock on `file`. The lock belongs to a child that reads from us: when
 * this process dies in whatever way, the pipe closes, the child ends and the lock is free.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('flock', [file, 'sh', '-c', 'echo locked; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<never>((_, reject) => {
    holder.on('error', reject);
    holder.on('close', () => reject(new Error(`flock ${file} ended early`)));
  });
  ended.catch(() => undefined);
  const locked = new Promise<void>((resolve) => holder.stdout.once('data', () => resolve()));
  try {
    await Promise.race([locked, ended]);
    return await work();
  } finally {
    holder.stdin.end();
  }
}
