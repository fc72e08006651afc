import { mkdir, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { rssBytes } from '../../support/usage.js';
import { timed } from './process.js';
import { remote, rsh, type Servers } from './servers.js';
import { firstByte } from './transfers.js';

/** Highest resident memory, MiB, while `streams` pushes of `source` run at the same time, each to its own place. */
export async function memoryWithStreams({ ours }: Servers, source: string, streams: number): Promise<number> {
  await rm(ours.volume, { recursive: true, force: true });
  await mkdir(ours.volume, { recursive: true });
  let highest = 0;
  const watch = setInterval(() => (highest = Math.max(highest, rssBytes(ours.pid) / 2 ** 20)), 20);
  // One file each, under one name each, so that the streams do not meet.
  const one = (i: number) =>
    timed('rsync', ['-a', '-e', rsh(ours), join(source, '0', String(i)), remote(ours)]);
  try {
    await Promise.all(Array.from({ length: streams }, (_, i) => one(i)));
  } finally {
    clearInterval(watch);
  }
  return highest;
}

export interface IdleResult {
  /** Milliseconds to the first byte of a login while the others sit there. */
  readonly loginMs: number;
  /** Connections that are still there after the grace time. */
  readonly left: number;
}

/** Opens connections from many addresses of the loopback network that say nothing. */
export async function idleConnections(
  { ours }: Servers,
  count: number,
  graceSeconds: number,
): Promise<IdleResult> {
  const sockets: Socket[] = [];
  let open = 0;
  for (let i = 0; i < count; i += 1) {
    const socket = connect({
      host: '127.0.0.1',
      port: ours.port,
      localAddress: `127.1.${i % 200}.${1 + (i % 250)}`,
    });
    socket.on('error', () => undefined);
    socket.once('connect', () => (open += 1));
    socket.once('close', () => (open -= 1));
    socket.resume();
    sockets.push(socket);
  }
  await sleep(1_000);
  if (open !== count) throw new Error(`${open} of ${count} connections were let in`);
  let loginMs = 0;
  for (let i = 0; i < 5; i += 1) loginMs = Math.max(loginMs, await firstByte(ours));
  await sleep(graceSeconds * 1000);
  const left = open;
  for (const socket of sockets) socket.destroy();
  return { loginMs, left };
}
