import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { atLeastPeer, atMost, atMostPeer, type Figure, print } from '../figure.js';
import { type BenchOptions, parseOptions } from './options.js';
import { type Servers, startServers } from './servers.js';
import { idleConnections, memoryWithStreams } from './strain.js';
import { firstByte, interleaved, makeFiles, pull, push, pushFarAway } from './transfers.js';

/**
 * The agent's SSH server beside Debian's sshd: same client, same cipher, same rsync, in turns, on a tmpfs. One JSON
 * object a line for each figure; exit code 1 when one misses its bar.
 *
 *   node test/dist/bench/ssh/main.js [--rounds 3] [--scale 1] [--dir /dev/shm] [--agent FILE] [figure ...]
 */
type Measure = (bench: { servers: Servers; dir: string; options: BenchOptions }) => Promise<Figure[]>;

const MiB = 2 ** 20;
/** The agent's default. */
const GRACE_SECONDS = 30;

/** Makes the files, measures, and removes them: the next figure needs the memory. */
async function withFiles<T>(
  dir: string,
  count: number,
  size: number,
  use: (source: string) => Promise<T>,
): Promise<T> {
  const source = join(dir, 'source');
  await makeFiles(source, count, size);
  try {
    return await use(source);
  } finally {
    await rm(source, { recursive: true, force: true });
    await rm(join(dir, 'volumes'), { recursive: true, force: true });
    await mkdir(join(dir, 'volumes/ours'), { recursive: true });
    await mkdir(join(dir, 'volumes/peer'), { recursive: true });
  }
}

const figures: Readonly<Record<string, Measure>> = {
  'push-2GiB': ({ servers, dir, options: { scale, rounds } }) => {
    const size = Math.round(256 * scale);
    return withFiles(dir, 8, size * MiB, async (source) => {
      const pairs = await interleaved(servers, rounds, (target) => push(target, source, 8 * size));
      return [atLeastPeer('push-2GiB', 'MiB/s', 1, pairs)];
    });
  },
  'pull-2GiB': ({ servers, dir, options: { scale, rounds } }) => {
    const size = Math.round(256 * scale);
    return withFiles(dir, 8, size * MiB, async (source) => {
      const pairs = await interleaved(servers, rounds, (t) => pull(t, source, join(dir, 'pulled'), 8 * size));
      return [atLeastPeer('pull-2GiB', 'MiB/s', 0.9, pairs)];
    });
  },
  'push-50k-files': ({ servers, dir, options: { scale, rounds } }) => {
    const count = Math.round(50_000 * scale);
    return withFiles(dir, count, 4096, async (source) => {
      const pairs = await interleaved(servers, rounds, (target) => push(target, source, count));
      return [atLeastPeer('push-50k-files', 'files/s', 1, pairs)];
    });
  },
  'push-512MiB-50ms': ({ servers, dir, options: { scale, rounds } }) => {
    const size = Math.round(128 * scale);
    return withFiles(dir, 4, size * MiB, async (source) => {
      const pairs = await interleaved(servers, rounds, (target) => pushFarAway(target, source, 4 * size, 50));
      return [atLeastPeer('push-512MiB-50ms', 'MiB/s', 4, pairs)];
    });
  },
  handshake: async ({ servers, options: { rounds } }) => {
    const pairs = await interleaved(servers, rounds * 8, firstByte);
    return [atMostPeer('handshake-to-first-byte', 'ms', 1, pairs)];
  },
  rss: ({ servers, dir, options: { scale } }) => {
    const size = Math.round(256 * scale);
    return withFiles(dir, 8, size * MiB, async (source) => [
      atMost('rss-8-streams', 'MiB', 200, await memoryWithStreams(servers, source, 8)),
    ]);
  },
  idle: async ({ servers }) => {
    const { loginMs, left } = await idleConnections(servers, 1000, GRACE_SECONDS);
    return [
      atMost('login-beside-1000-idle', 'ms', 1000, loginMs),
      atMost('idle-left-after-grace', 'connections', 0, left),
    ];
  },
};

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  const dir = await mkdtemp(join(options.dir, 'dr-syncer-bench-ssh-'));
  try {
    const servers = await startServers(dir, options.agent);
    try {
      for (const [name, measure] of Object.entries(figures)) {
        if (options.only.length > 0 && !options.only.includes(name)) continue;
        print('ssh', await measure({ servers, dir, options }));
      }
    } finally {
      await servers.stop();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

await main();
