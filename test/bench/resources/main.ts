import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Cluster } from '@dr-syncer/controller';
import { parseKubeconfig, wellKnown } from '@dr-syncer/kube';

import { type ApiServer, startApiServer } from '../../cluster/index.js';
import { atLeastPeer, atMost, type Figure, type Pair, print, quantile } from '../figure.js';
import { inParallel, makeNamespace, objectOf } from './load.js';
import type { Answer, Command } from './worker.js';

/**
 * The resource engine against two API servers: its first sync beside a bare loop of as many server-side applies, a
 * namespace that does not change, one change while all else is idle, memory. One JSON object a line for each figure;
 * exit code 1 when one misses its bar.
 *
 *   node test/dist/bench/resources/main.js [--objects 10000] [--rounds 3] [--changes 200] [--idle-seconds 60]
 */
const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
    changes: { type: 'string', default: '200' },
    'idle-seconds': { type: 'string', default: '60' },
  },
});
const objects = Number(values.objects);
const idleSeconds = Number(values['idle-seconds']);
const CONCURRENCY = 32;
const FROM = 'load';
const FOLLOWED = 'followed';
const RSS_BAR_MIB = objects <= 10_000 ? 250 : 1000;
const size = objects % 1000 === 0 ? `${objects / 1000}k` : String(objects);

class Worker {
  readonly #child: ChildProcess;

  constructor(source: ApiServer, remote: ApiServer) {
    const program = join(import.meta.dirname, 'worker.js');
    this.#child = fork(program, [source.kubeconfigPath, remote.kubeconfigPath]);
  }

  ask(command: Command): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error('the worker has ended'));
      this.#child.once('exit', ended);
      this.#child.once('message', (message: Answer | { error: string }) => {
        this.#child.off('exit', ended);
        if ('error' in message) reject(new Error(message.error));
        else if (message.failed > 0) reject(new Error(`${message.failed} objects failed`));
        else resolve(message);
      });
      this.#child.send(command);
    });
  }

  end(): void {
    this.#child.kill();
  }
}

async function firstSync(source: ApiServer, remote: ApiServer, rounds: number): Promise<Figure> {
  const pairs: Pair[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const rate = async (command: Command): Promise<number> => {
      const worker = new Worker(source, remote);
      try {
        const { written, seconds } = await worker.ask(command);
        return written / seconds;
      } finally {
        worker.end();
      }
    };
    const first = round % 2 === 0;
    const peer = () => rate({ do: 'peer', to: `peer-${round}`, count: objects, concurrency: CONCURRENCY });
    const ours = () => rate({ do: 'ours', from: FROM, to: `ours-${round}`, watch: false });
    const [one, other] = first ? [await peer(), await ours()] : [await ours(), await peer()];
    pairs.push(first ? { peer: one, ours: other } : { ours: one, peer: other });
  }
  return atLeastPeer(`first-sync-${size}`, 'objects/s', 0.8, pairs);
}

async function unchanged(source: ApiServer, remote: ApiServer): Promise<Figure[]> {
  const worker = new Worker(source, remote);
  try {
    const before = await worker.ask({ do: 'usage' });
    const { cpuSeconds, writes } = await worker.ask({
      ...{ do: 'ours', from: FROM, to: 'ours-0', watch: false },
    });
    // The claim of the namespace is there already, so even that is no write.
    return [
      atMost(`unchanged-sync-${size}-writes`, 'calls', 0, writes - before.writes),
      atMost(
        `unchanged-sync-${size}-cpu-every-5-min`,
        '% of a core',
        2,
        ((cpuSeconds - before.cpuSeconds) / 300) * 100,
      ),
    ];
  } finally {
    worker.end();
  }
}

/** Followed, with a comparison of everything in the middle. */
async function idle(worker: Worker): Promise<Figure[]> {
  await sleep(2_000);
  const before = await worker.ask({ do: 'usage' });
  await sleep((idleSeconds / 2) * 1000);
  await worker.ask({ do: 'compare' });
  await sleep((idleSeconds / 2) * 1000);
  const after = await worker.ask({ do: 'usage' });
  const share = ((after.cpuSeconds - before.cpuSeconds) / idleSeconds) * 100;
  return [
    atMost(`idle-${size}-writes`, 'calls', 0, after.writes - before.writes),
    atMost(`idle-${size}-cpu-with-a-comparison`, '% of a core', 2, share),
    atMost(`idle-${size}-rss`, 'MiB', RSS_BAR_MIB, after.rssMiB),
    atMost(`followed-${size}-peak-rss`, 'MiB', RSS_BAR_MIB, after.peakMiB),
  ];
}

/** From before the change is written at the source until a watch of the remote shows it. */
async function changes(source: Cluster, remote: Cluster, count: number): Promise<Figure[]> {
  const seen = new Map<string, () => void>();
  const controller = new AbortController();
  const maps = wellKnown.configMaps;
  const { resourceVersion } = await remote.client.list(maps, { namespace: FOLLOWED, limit: 1 });
  const watching = (async () => {
    const options = { namespace: FOLLOWED, resourceVersion, signal: controller.signal };
    for await (const { object } of remote.client.watch(maps, options)) {
      seen.get(`${object.metadata.name}=${String((object['data'] as Record<string, string>)['text'])}`)?.();
    }
  })().catch(() => undefined);
  const took: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const name = `o-${Math.floor((i * 20) % objects)}`;
    const text = `change ${i}`;
    const arrived = new Promise<void>((resolve) => seen.set(`${name}=${text}`, resolve));
    const begun = performance.now();
    const ref = { resource: maps, namespace: FROM, name };
    await source.client.patch(ref, { data: { text } }, 'merge', { fieldManager: 'bench' });
    await Promise.race([arrived, sleep(30_000, undefined, { ref: false })]);
    took.push(performance.now() - begun);
    await sleep(50 + Math.random() * 100);
  }
  controller.abort();
  await watching;
  return [
    atMost(`one-change-of-${size}-p50`, 'ms', 150, quantile(took, 0.5)),
    atMost(`one-change-of-${size}-p99`, 'ms', 1000, quantile(took, 0.99)),
  ];
}

async function main(): Promise<void> {
  const [source, remote] = await Promise.all([
    startApiServer({ name: 'src' }),
    startApiServer({ name: 'dst' }),
  ]);
  const report = (...figures: Figure[]): void => print('resources', figures);
  const sourceUser = new Cluster(parseKubeconfig(source.kubeconfig));
  const remoteUser = new Cluster(parseKubeconfig(remote.kubeconfig));
  let follower: Worker | undefined;
  try {
    await makeNamespace(sourceUser.client, FROM);
    await inParallel(objects, CONCURRENCY, (i) => sourceUser.client.create(...objectOf(i, FROM)));
    const rounds = Number(values.rounds);
    if (rounds > 0) {
      report(await firstSync(source, remote, rounds));
      report(...(await unchanged(source, remote)));
    }
    follower = new Worker(source, remote);
    await follower.ask({ do: 'ours', from: FROM, to: FOLLOWED, watch: true });
    report(...(await idle(follower)));
    report(...(await changes(sourceUser, remoteUser, Number(values.changes))));
  } finally {
    follower?.end();
    await Promise.all([sourceUser.close(), remoteUser.close()]);
    await Promise.all([source.stop(), remote.stop()]);
  }
}

await main();
