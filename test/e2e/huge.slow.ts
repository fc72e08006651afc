import { mkdir, open, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import { fullClusters } from '../cluster/index.js';
import { install } from '../demo/install.js';
import { agentMegabytes } from '../faults/memory.js';
import { type FoundProcess, killAll } from '../faults/processes.js';
import { largeDifferencesOf } from '../faults/tree.js';
import { LABELS, REMOTE, World } from '../faults/world.js';
import { twoClusters } from './support/clusters.js';
import { connect } from './support/replication.js';

jest.setTimeout(45 * 60_000);

const DIRECTORIES = 2_000;
const FILES_IN_DIRECTORY = 500;
const SPARSE_BYTES = 100 * 2 ** 30;
const SYNC_MS = 30 * 60_000;
/** What an agent may have beside rsync's memory. */
const MOST_MEGABYTES = 300;

const isReceiver = ({ args }: FoundProcess) =>
  /(^|\/)rsync$/.test(args[0] ?? '') && args.includes('--server');

interface Seen {
  /** The most that the agent of either end had, without rsync. */
  readonly megabytes: number;
  readonly percents: readonly number[];
}

describe('Given volumes that are larger than most', () => {
  const context = twoClusters();
  const worlds: World[] = [];

  const given = async (name: string): Promise<World> => {
    const world = new World(context, await fullClusters(), { name, syncMs: SYNC_MS });
    worlds.push(world);
    await world.make();
    return world;
  };
  /** What is seen of a sync, once in two seconds until it has ended. */
  const watch = async (world: World, ended: Promise<unknown>): Promise<Seen> => {
    const seen: { megabytes: number; percents: number[] } = { megabytes: 0, percents: [] };
    const over = new AbortController();
    void ended.catch(() => undefined).finally(() => over.abort());
    while (!over.signal.aborted) {
      seen.megabytes = Math.max(seen.megabytes, ...(await agentMegabytes(world)));
      seen.percents.push((await world.percent()) ?? 0);
      await sleep(2_000, undefined, { signal: over.signal }).catch(() => undefined);
    }
    return seen;
  };
  /** A whole sync, rsync at the destination being killed some seconds after its begin. */
  const syncWithKill = async (world: World, seconds: number): Promise<Seen> => {
    const { ended } = await world.begin();
    const watched = watch(world, ended);
    const receivers = async () => (await world.processes('remote', 'mover')).filter(isReceiver);
    expect(await world.untilProcesses(receivers, 120_000)).not.toEqual([]);
    await sleep(seconds * 1_000);
    expect(killAll(await receivers())).toBeGreaterThan(0);
    const [status, seen] = await Promise.all([ended, watched]);
    expect(status).toMatchObject({ phase: 'Completed' });
    // It can be seen how far it is, in the second half as well.
    expect(seen.percents.filter((percent) => percent > 50 && percent < 100)).not.toEqual([]);
    expect(seen.megabytes).toBeGreaterThan(0);
    expect(seen.megabytes).toBeLessThan(MOST_MEGABYTES);
    return seen;
  };

  beforeAll(async () => {
    await fullClusters();
    await install(context);
    await connect(context, REMOTE, LABELS);
  }, 600_000);

  afterAll(async () => {
    // What is on the nodes would be removed only some time after its claim.
    for (const { roots } of worlds) {
      for (const root of Object.values(roots)) {
        if (root !== '') await rm(join(root, 'huge'), { recursive: true, force: true });
      }
    }
    await World.remove(context);
  }, 900_000);

  test('When there are a million files and rsync is killed Then the sync goes on to its end, and both ends are equal', async () => {
    const world = await given('e2e-million');
    for (let index = 0; index < DIRECTORIES; index += 1) {
      const directory = join(world.roots.source, 'huge', String(index));
      await mkdir(directory, { recursive: true });
      const write = (_: unknown, file: number) =>
        writeFile(join(directory, String(file)), `${index} ${file}\n`);
      await Promise.all(Array.from({ length: FILES_IN_DIRECTORY }, write));
    }
    const { megabytes } = await syncWithKill(world, 20);

    const { entries, differences } = await largeDifferencesOf(world.roots.source, world.roots.remote);
    expect(differences).toBe('');
    expect(entries).toBeGreaterThan(DIRECTORIES * FILES_IN_DIRECTORY);
    process.stderr.write(`${JSON.stringify({ files: DIRECTORIES * FILES_IN_DIRECTORY, megabytes })}\n`);
    // Nothing is left to do.
    expect(await world.expectSync()).toMatchObject({ filesTransferred: 0 });
  });

  test('When a file has 100 GiB with holes and rsync is killed Then it arrives with its holes, and both ends are equal', async () => {
    const world = await given('e2e-sparse');
    await mkdir(join(world.roots.source, 'huge'));
    const path = join(world.roots.source, 'huge', 'sparse');
    await writeFile(path, 'the begin');
    await truncate(path, SPARSE_BYTES);
    const file = await open(path, 'r+');
    for (const position of [2 ** 32 - 3, SPARSE_BYTES / 2, SPARSE_BYTES - 7]) {
      await file.write(Buffer.from('island!'), 0, 7, position);
    }
    await file.close();

    await syncWithKill(world, 20);

    expect((await largeDifferencesOf(world.roots.source, world.roots.remote)).differences).toBe('');
    const copy = await stat(join(world.roots.remote, 'huge', 'sparse'));
    expect(copy.size).toBe(SPARSE_BYTES);
    expect(copy.blocks * 512).toBeLessThan(2 ** 20);
  });
});
