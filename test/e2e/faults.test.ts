import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { fullClusters } from '../cluster/index.js';
import { install } from '../demo/install.js';
import { type Fault, faults } from '../faults/faults.js';
import { changeTree, makeTree } from '../faults/tree.js';
import { LABELS, REMOTE, World } from '../faults/world.js';
import { twoClusters } from './support/clusters.js';
import { connect } from './support/replication.js';

/** `make test-faults` sets it: all faults, again and again for so many minutes. Without: a few faults, once. */
const minutes = Number(env['FAULT_MINUTES'] ?? '0');
const full = minutes > 0;
const FAULT_MS = 900_000;

describe('Given a volume that is being copied, with everything in it that a file system may hold', () => {
  const context = twoClusters();
  let world: World;
  let seed = 0;
  const until = Date.now() + minutes * 60_000;
  const struck: Record<string, number> = {};

  const tell = (line: object) => full && process.stderr.write(`${JSON.stringify(line)}\n`);

  /** The transfer of a new state, with the fault in it; then the next sync, after which both ends are equal. */
  const suffer = async (fault: Fault): Promise<boolean> => {
    const began = performance.now();
    seed += 1;
    // As it is, whatever became of the fault before this one.
    const before = await world.contents('remote');
    await changeTree(world.roots.source, seed);
    const after = await world.contents('source');
    const { ended } = await world.begin();
    let hit = false;
    try {
      hit = await fault.strike(world);
      await world.expectOldOrNew(before, after);
      await ended;
      await world.expectOldOrNew(before, after);
    } finally {
      await fault.mend?.(world);
    }
    await world.expectSync();
    await world.expectEqual();
    tell({ fault: fault.name, hit, seconds: Math.round((performance.now() - began) / 1000) });
    return hit;
  };

  beforeAll(async () => {
    world = new World(context, await fullClusters());
    await install(context);
    await connect(context, REMOTE, LABELS);
    await world.make();
    await makeTree(world.roots.source, {
      ...{ bigFiles: 3, bigMiB: 16 },
      ...(full ? { smallFiles: 2_000, hardLinks: 10_000 } : { smallFiles: 400, hardLinks: 500 }),
      // To be read six times for each fault; `make test-huge` has one of 100.
      sparseGiB: 1,
    });
    await world.expectSync();
    // From here on a transfer of the big files takes five seconds, so that there is a middle of it.
    await world.patch({ bandwidthLimit: 10_000 });
  }, 600_000);

  afterAll(async () => {
    tell({ faults: struck });
    await World.remove(context);
  }, 180_000);

  test('When nothing happens to it Then the copy is equal in every property', async () => {
    await world.expectEqual();
  });

  test.each(faults.filter(({ smoke }) => full || smoke))(
    'When $name Then each file is the old one or the new one, and the next sync makes both ends equal',
    async (fault) => {
      const hit = await suffer(fault);
      struck[fault.name] = (struck[fault.name] ?? 0) + Number(hit);
      expect(hit).toBe(true);
    },
    FAULT_MS,
  );

  test('When the source changes during the copy Then each file is one that was there, and the next sync makes both ends equal', async () => {
    seed += 1;
    await changeTree(world.roots.source, seed);
    const { ended } = await world.begin();
    for (let change = 0; change < 5; change += 1) {
      seed += 1;
      await changeTree(world.roots.source, seed);
    }
    await ended;
    await world.expectSync();
    await world.expectEqual();
  }, 300_000);

  (full ? test : test.skip)(
    'When faults come again and again Then it is the same each time',
    async () => {
      const again = faults.filter(({ once }) => once !== true);
      let hits = 0;
      do {
        const fault = again[Math.floor(Math.random() * again.length)];
        if (fault === undefined) break;
        const hit = await suffer(fault);
        hits += Number(hit);
        struck[fault.name] = (struck[fault.name] ?? 0) + Number(hit);
      } while (Date.now() < until);
      expect(hits).toBeGreaterThan(0);
    },
    (minutes + 10) * 60_000,
  );
});

describe('Given a copy in a small file system of its own', () => {
  const context = twoClusters();
  const REMOTE_FULL = `${REMOTE}-small`;
  let world: World;

  beforeAll(async () => {
    const clusters = await fullClusters();
    await clusters.remote.addVolumes(1, { size: '70Mi', limitBytes: 48 << 20 });
    world = new World(context, clusters, { name: REMOTE_FULL, storage: '70Mi' });
    await connect(context, REMOTE, LABELS);
    await world.make();
  }, 400_000);

  afterAll(async () => {
    await World.remove(context);
  }, 180_000);

  test('When it is full Then that is what is said, files are old or new, and with room the next sync makes both ends equal', async () => {
    const file = (name: string) => join(world.roots.source, name);
    for (const name of ['a', 'b']) await writeFile(file(name), randomBytes(9 << 20));
    await world.expectSync();
    const before = await world.contents('source');
    // More than it holds (38 MiB); some of them come through.
    for (const name of ['a', 'b', 'c', 'd']) await writeFile(file(name), randomBytes(11 << 20));
    const after = await world.contents('source');

    const status = await (await world.begin()).ended;

    expect(status.phase).toBe('Failed');
    expect(status.volumes[0]).toMatchObject({ phase: 'Failed', reason: 'DestinationFull' });
    await world.expectOldOrNew(before, after);
    await rm(file('d'));
    await rm(file('c'));
    // There is room for it once what has no source any more is gone.
    for (const name of ['a', 'b']) await writeFile(file(name), randomBytes(11 << 20));
    await world.expectSync();
    await world.expectEqual();
  }, 300_000);

  test('When it can only be read Then that is what is said, nothing is changed, and the next sync makes both ends equal', async () => {
    const before = await world.contents('remote');
    await writeFile(join(world.roots.source, 'a'), randomBytes(2 << 20));
    await world.remountCopy('ro');
    try {
      const status = await (await world.begin()).ended;
      expect(status.volumes[0]).toMatchObject({ phase: 'Failed', reason: 'VolumeReadOnly' });
      await world.expectOldOrNew(before, before);
    } finally {
      await world.remountCopy('rw');
    }
    await world.expectSync();
    await world.expectEqual();
  }, 300_000);
});
