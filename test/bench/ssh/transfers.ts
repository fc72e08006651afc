import { randomFillSync } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Pair } from '../figure.js';
import { timed, timeToFirstByte } from './process.js';
import { remote, rsh, type Servers, sshArgs, type Target } from './servers.js';
import { startDelayProxy } from './delay-proxy.js';

const MiB = 2 ** 20;

/** `count` files of `size` bytes that do not compress. */
export async function makeFiles(dir: string, count: number, size: number): Promise<void> {
  const block = Buffer.alloc(Math.min(size, 4 * MiB));
  randomFillSync(block);
  for (let i = 0; i < count; i += 1) {
    const folder = join(dir, String(Math.floor(i / 1000)));
    if (i % 1000 === 0) await mkdir(folder, { recursive: true });
    const file = await open(join(folder, String(i)), 'w');
    block.writeUInt32LE(i, 0);
    for (let left = size; left > 0; left -= block.length)
      await file.write(block, 0, Math.min(left, block.length));
    await file.close();
  }
}

async function empty(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
}

/** Each server in turn, and the other first in the next round. */
export async function interleaved(
  servers: Servers,
  rounds: number,
  measure: (target: Target) => Promise<number>,
): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let i = 0; i < rounds; i += 1) {
    const order = i % 2 === 0 ? [servers.ours, servers.peer] : [servers.peer, servers.ours];
    const got = { ours: 0, peer: 0 };
    for (const target of order) got[target.name] = await measure(target);
    pairs.push(got);
  }
  return pairs;
}

/** Units a second, where `units` is what one push of `source` moves. */
export async function push(target: Target, source: string, units: number, port?: number): Promise<number> {
  await empty(target.volume);
  return units / (await timed('rsync', ['-a', '-e', rsh(target, port), `${source}/`, remote(target)]));
}

export async function pull(target: Target, source: string, into: string, units: number): Promise<number> {
  await empty(target.volume);
  await timed('cp', ['-a', `${source}/.`, target.volume]);
  await empty(into);
  const seconds = await timed('rsync', ['-a', '-e', rsh(target), remote(target), into]);
  await empty(into);
  return units / seconds;
}

export async function pushFarAway(
  target: Target,
  source: string,
  units: number,
  rttMs: number,
): Promise<number> {
  const proxy = await startDelayProxy(target.port, rttMs);
  try {
    return await push(target, source, units, proxy.port);
  } finally {
    await proxy.close();
  }
}

/** Milliseconds from the start of ssh to the first byte that rsync says. */
export async function firstByte(target: Target): Promise<number> {
  const command = `rsync --server --sender -e.LsfxCIvu . ${target.volume}/`;
  const seconds = await timeToFirstByte('ssh', [...sshArgs(target), `${target.user}@127.0.0.1`, command]);
  return seconds * 1000;
}
