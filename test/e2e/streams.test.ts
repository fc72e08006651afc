import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { fullClusters } from '../cluster/index.js';
import { install } from '../demo/install.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { type FoundProcess, killAll } from '../faults/processes.js';
import { makeTree } from '../faults/tree.js';
import { LABELS, World } from '../faults/world.js';
import { twoClusters } from './support/clusters.js';
import { connect } from './support/replication.js';

const REMOTE = 'e2e-streams';
const STREAMS = 2;
/** As much as two streams are given: both begin at once then, and there is a middle to strike at. */
const LIMIT_KIB = STREAMS * 32 * 1024;

const isSender = ({ args }: FoundProcess) => /(^|\/)rsync$/.test(args[0] ?? '') && !args.includes('--server');

describe('Given a volume that is large enough for several streams', () => {
  const context = twoClusters();
  let world: World;

  const setLeast = async (setting: string) => {
    const controller = 'deployment/dr-syncer-controller';
    const place = ['-n', SYSTEM_NAMESPACE];
    await context.source.run(['set', 'env', controller, setting, ...place]);
    const wait = ['rollout', 'status', controller, ...place, '--timeout=180s'];
    await context.source.run(wait, { timeoutMs: 190_000 });
  };

  beforeAll(async () => {
    world = new World(context, await fullClusters(), { name: REMOTE, remote: REMOTE, storage: '512Mi' });
    await install(context);
    await setLeast('PARALLEL_STREAMS_MIN_MIB=16');
    await connect(context, REMOTE, LABELS);
    await world.make();
    await world.patch({ bandwidthLimit: LIMIT_KIB });
    await makeTree(world.roots.source, {
      ...{ bigFiles: 40, bigMiB: 8, smallFiles: 400 },
      ...{ hardLinks: 500, sparseGiB: 1 / 64 },
    });
    // What is younger than two seconds when it is surveyed counts as changed at the next sync.
    await sleep(3_100);
  }, 600_000);

  afterAll(async () => {
    await World.remove(context);
    await setLeast('PARALLEL_STREAMS_MIN_MIB-');
  }, 300_000);

  test('When one of its streams is killed Then the same sync goes on with the others to a copy that is equal in every property', async () => {
    const { ended } = await world.begin();
    const several = async () => {
      const senders = (await world.processes('source', 'mover')).filter(isSender);
      return senders.length >= STREAMS ? senders : [];
    };
    const [victim] = await world.untilProcesses(several, 120_000);
    if (victim === undefined) throw new Error('there never were several streams');
    expect(killAll([victim])).toBe(1);
    const status = await ended;

    expect([status.phase, status.conditions]).toEqual(['Completed', expect.anything()]);
    expect(status.volumes[0]).toMatchObject({
      phase: 'Succeeded',
      streams: STREAMS,
      attempt: 2,
      percent: 100,
    });
    await world.expectEqual();
  }, 480_000);

  test('When little has changed since Then one stream is enough', async () => {
    await writeFile(join(world.roots.source, 'one-more'), 'x');
    const volume = await world.expectSync();
    expect(volume?.streams).toBeUndefined();
    await world.expectEqual();
  }, 480_000);
});
