import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { fullClusters } from '../../cluster/index.js';
import { install } from '../../demo/install.js';
import { SYSTEM_NAMESPACE } from '../../demo/standby.js';
import { twoClusters } from '../../e2e/support/clusters.js';
import { connect } from '../../e2e/support/replication.js';
import { agentMegabytes } from '../../faults/memory.js';
import { World } from '../../faults/world.js';
import { startDelayProxy } from '../ssh/delay-proxy.js';
import { atMost, atMostPeer, type Figure, type Pair, print, quantile } from '../figure.js';
import { Peer, PEER_PORT } from './peer.js';
import { schedulerCpu } from './scheduler.js';
import { SyncTimer } from './timed-sync.js';
import { bigFiles, changeSome, setAside, smallFiles } from './workloads.js';

/**
 * Whole syncs on two real clusters, from the request to the status that says that all is in place, beside plain
 * `rsync -aHAXS --numeric-ids --delete` over OpenSSH between the same nodes and file systems, in turns. One JSON object
 * a line for each figure; exit code 1 when one misses its bar.
 *
 *   node test/dist/bench/volumes/main.js [--rounds 3] [--scale 1] [--syncs 30] [figure ...]
 */
interface Bench {
  readonly world: World;
  readonly peer: Peer;
  readonly timer: SyncTimer;
  readonly rounds: number;
  readonly scale: number;
  readonly syncs: number;
  /** Directories of what was put aside, to be removed at the end. */
  readonly aside: string[];
}

const LABELS = { e2e: 'faults' } as const;
const REMOTE = 'bench-volumes';
const RTT_MS = 50;
/** The bridge that the nodes of both clusters are at: this machine. */
const MIDDLE = '10.99.0.1';
const PEER_PROXY = 2323;
const AGENT_PORT = 2222;

/** Directory beside the copy, on the same file system, for the peer. */
const peerCopy = (world: World) => `${world.paths.remote}-peer`;

async function ours({ timer }: Bench): Promise<number> {
  const { seconds } = await timer.time();
  return seconds;
}

/** Both in turns, each from the state that `reset` makes; who begins changes from round to round. */
async function inTurns(
  bench: Bench,
  reset: () => Promise<void>,
  peer = () => bench.peer.rsync(bench.world.paths.source, peerCopy(bench.world)),
): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    await reset();
    const first = round % 2 === 0 ? await ours(bench) : await peer();
    const second = round % 2 === 0 ? await peer() : await ours(bench);
    pairs.push(round % 2 === 0 ? { ours: first, peer: second } : { ours: second, peer: first });
  }
  return pairs;
}

/** The source holds what `make` makes, and nothing else. */
async function fill(
  { world, aside, scale }: Bench,
  make: (root: string, scale: number) => Promise<void>,
): Promise<void> {
  aside.push(await setAside(world.roots.source));
  await make(world.roots.source, scale);
}

async function emptyCopies({ world, aside }: Bench): Promise<void> {
  const { remote } = world.roots;
  aside.push(await setAside(remote), await setAside(`${remote}-peer`));
  await world.settle();
}

/**
 * With the way to the remote made longer; the peer goes the same way.
 *
 * @param bytesPerSecond what a connection gets there
 */
async function farAway<T>(
  bench: Bench,
  work: (peer: () => Promise<number>) => Promise<T>,
  bytesPerSecond = Number.POSITIVE_INFINITY,
): Promise<T> {
  const { world, peer } = bench;
  const [node] = world.clusters.remote.nodes;
  const host = node?.address ?? '';
  const ways = await Promise.all(
    (
      [
        [AGENT_PORT, AGENT_PORT],
        [PEER_PORT, PEER_PROXY],
      ] as const
    ).map(([target, port]) =>
      startDelayProxy(target, RTT_MS, { host, listen: { host: MIDDLE, port }, bytesPerSecond }),
    ),
  );
  await world.connectVia(REMOTE, {
    overrides: { [node?.name ?? '']: MIDDLE },
    sourceRanges: [`${MIDDLE}/32`],
  });
  try {
    const via = { host: MIDDLE, port: PEER_PROXY };
    return await work(() => peer.rsync(world.paths.source, peerCopy(world), via));
  } finally {
    await world.connectVia(REMOTE, { overrides: null, sourceRanges: null });
    await Promise.all(ways.map((way) => way.close()));
  }
}

/**
 * The product with up to four streams beside itself with one, in turns, from the state in which nothing is known of the
 * line. Rounds after the first go by what that has found.
 */
async function withStreams(bench: Bench, name: string, bar: number): Promise<Figure> {
  const { world } = bench;
  await world.freshAgent('source');
  const sync = async (parallelStreams: number) => {
    await world.patch({ parallelStreams });
    return ours(bench);
  };
  const pairs: Pair[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    await emptyCopies(bench);
    const first = await sync(4);
    await emptyCopies(bench);
    pairs.push({ ours: first, peer: await sync(1) });
  }
  await world.patch({ parallelStreams: null });
  return atMostPeer(name, 's', bar, pairs);
}

/** Lets volumes of this size have several streams. */
async function streamsFrom(world: World, mib: number | null): Promise<void> {
  const setting = mib === null ? 'PARALLEL_STREAMS_MIN_MIB-' : `PARALLEL_STREAMS_MIN_MIB=${mib}`;
  const controller = ['deployment/dr-syncer-controller', '-n', SYSTEM_NAMESPACE];
  await world.at('source').run(['set', 'env', ...controller, setting]);
  await world
    .at('source')
    .run(['rollout', 'status', ...controller, '--timeout=180s'], { timeoutMs: 190_000 });
}

const figures: Readonly<Record<string, (bench: Bench) => Promise<Figure[]>>> = {
  'scheduler-cpu': async () => [atMost('scheduler-cpu-each-of-500', 'ms', 20, await schedulerCpu(500))],
  'first-byte': async (bench) => {
    const { world, timer, syncs } = bench;
    await fill({ ...bench, scale: 1 / 128 }, bigFiles);
    await timer.time();
    const times: number[] = [];
    for (let index = 0; index < syncs; index += 1) {
      // Where nothing has changed nothing is sent, and there is no first byte.
      await writeFile(join(world.roots.source, 'changed'), String(index));
      await world.settle();
      times.push((await timer.time()).firstByteSeconds * 1000);
    }
    return [
      atMost('trigger-to-first-byte-p50', 'ms', 500, quantile(times, 0.5)),
      atMost('trigger-to-first-byte-p99', 'ms', 1_500, quantile(times, 0.99)),
    ];
  },
  '1GiB-8-files': async (bench) => {
    await fill(bench, bigFiles);
    const pairs = await inTurns(bench, () => emptyCopies(bench));
    return [atMostPeer('1GiB-8-files', 's', 1.15, pairs)];
  },
  '50k-files': async (bench) => {
    const { world, scale } = bench;
    await fill(bench, smallFiles);
    const whole = await inTurns(bench, () => emptyCopies(bench));
    const unchanged = await inTurns(bench, () => world.settle());
    const changed = await inTurns(bench, async () => {
      await changeSome(world.roots.source, scale);
      await world.settle();
    });
    return [
      atMostPeer('50k-files', 's', 1.15, whole),
      atMostPeer('50k-files-unchanged', 's', 0.5, unchanged),
      atMostPeer('50k-files-100-changed', 's', 0.7, changed),
      atMost('agent-rss-after-50k-files', 'MB', 300, Math.max(...(await agentMegabytes(world)))),
    ];
  },
  '1GiB-8-files-50ms': async (bench) => {
    await fill(bench, bigFiles);
    const pairs = await farAway(bench, (peer) => inTurns(bench, () => emptyCopies(bench), peer));
    return [atMostPeer('1GiB-8-files-50ms', 's', 1 / 3, pairs)];
  },
  '50k-files-50ms': async (bench) => {
    await fill(bench, smallFiles);
    const pairs = await farAway(bench, (peer) => inTurns(bench, () => emptyCopies(bench), peer));
    return [atMostPeer('50k-files-50ms', 's', 1 / 3, pairs)];
  },
};

/** Several streams beside one: a bar of more than 1 is what finding out may cost. */
const streamFigures: typeof figures = {
  'streams-1GiB': async (bench) => [await withStreams(bench, 'streams-1GiB', 1.25)],
  'streams-1GiB-50ms': (bench) =>
    farAway(bench, async () => [await withStreams(bench, 'streams-1GiB-50ms', 1.25)]),
  'streams-1GiB-50ms-16MiBps-each': (bench) =>
    farAway(
      bench,
      async () => [await withStreams(bench, 'streams-1GiB-50ms-16MiBps-each', 0.5)],
      16 * 2 ** 20,
    ),
};

const all: typeof figures = {
  ...figures,
  streams: async (bench) => {
    await fill(bench, bigFiles);
    await streamsFrom(bench.world, 128);
    try {
      const found: Figure[] = [];
      for (const measure of Object.values(streamFigures)) found.push(...(await measure(bench)));
      return found;
    } finally {
      await streamsFrom(bench.world, null);
    }
  },
};

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      syncs: { type: 'string', default: '30' },
    },
  });
  const context = twoClusters();
  const clusters = await fullClusters();
  const world = new World(context, clusters, { name: REMOTE, remote: REMOTE, storage: '512Mi' });
  await install(context);
  await connect(context, REMOTE, LABELS);
  let peer: Peer | undefined;
  const timer = await SyncTimer.connect(context.settings.sourceKubeconfig, REMOTE);
  const aside: string[] = [];
  try {
    await world.make();
    const [from] = clusters.source.nodes;
    const [to] = clusters.remote.nodes;
    if (from === undefined || to === undefined) throw new Error('the clusters have no nodes');
    peer = await Peer.start(from, to);
    await to.exec(['mkdir', '-p', peerCopy(world)]);
    const bench: Bench = {
      ...{ world, peer, timer, aside, rounds: Number(values.rounds) },
      ...{ scale: Number(values.scale), syncs: Number(values.syncs) },
    };
    await stat(`${world.roots.remote}-peer`);
    for (const [name, measure] of Object.entries(all)) {
      if (positionals.length > 0 && !positionals.includes(name)) continue;
      print('volumes', await measure(bench));
    }
    await to.exec(['rm', '-rf', peerCopy(world)]);
  } finally {
    await peer?.stop();
    await timer.close();
    for (const directory of aside) await rm(directory, { recursive: true, force: true });
    await World.remove(context);
  }
}

await main();
