import { KubeError, type KubeObject, type Resource, sleep, wellKnown } from '@dr-syncer/kube';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { eventually } from '../support/eventually.js';
import { type Faults, withFaults } from './support/faults.js';
import { NamespacePairs, type Typed } from './support/namespace-pairs.js';
import {
  configMap,
  dataOf,
  deployment,
  type StandbyOptions,
  startTwoApiServers,
  type TwoApiServers,
  writes,
} from './support/two-api-servers.js';

const { signal } = new AbortController();
const maps = wellKnown.configMaps;

describe('Given a copy that others write to', () => {
  let world: TwoApiServers;
  let to = '';
  let pairs: NamespacePairs;
  let faults: Faults;

  beforeAll(async () => {
    world = await startTwoApiServers();
    pairs = new NamespacePairs(world, 'copy');
    faults = withFaults(world.remote);
  }, 120_000);

  afterAll(() => world.close());

  afterEach(() => pairs.closeEngines());

  const given = async (...objects: Typed[]): Promise<void> => {
    ({ to } = await pairs.make(objects));
  };
  const put = (resource: Resource, object: KubeObject) => pairs.put(resource, object);
  const at = (resource: Resource, name: string) => ({ resource, name, namespace: to });
  const sync = (options?: StandbyOptions) => pairs.sync(options);
  const follow = (options: StandbyOptions = {}) => sync({ ...options, watch: true });

  const edit = (name = 'a') =>
    world.remoteUser.client.patch(at(maps, name), { data: { x: 'edited' } }, 'merge', {
      fieldManager: 'kubectl-edit',
    });

  test.each([false, true])('When it is edited Then it is put right (followed: %s)', async (watch) => {
    await given([maps, configMap('a', '', { x: '1' })]);
    await sync({ watch });
    await edit();

    if (!watch) expect((await sync()).tally.stats()).toMatchObject({ applied: 1, failed: 0 });

    await eventually('the repair', async () =>
      JSON.stringify(await dataOf(world.remoteUser, to)) === '{"a":{"x":"1"}}' ? true : undefined,
    );
  });

  test('When it is edited Then it is reported, where that is the policy', async () => {
    await given([maps, configMap('a', '', { x: '1' })]);
    const spec = { drift: 'Report' };
    await sync({ spec });
    await edit();

    const engine = await sync({ spec });

    expect(engine.tally.stats()).toMatchObject({ applied: 0, drifted: 1, failed: 0 });
    expect(await dataOf(world.remoteUser, to)).toEqual({ a: { x: 'edited' } });
  });

  test('When somebody adds fields Then they stay, and are no drift', async () => {
    await given([maps, configMap('a', '', { x: '1' })]);
    await sync();
    await world.remoteUser.client.patch(at(maps, 'a'), { data: { theirs: '1' } }, 'merge', {
      fieldManager: 'operator',
    });

    const engine = await sync();

    expect(engine.tally.stats()).toMatchObject({ applied: 0, unchanged: 1 });
    expect(await dataOf(world.remoteUser, to)).toEqual({ a: { x: '1', theirs: '1' } });
  });

  test('When somebody changes it again and again Then that does not start a race of writes', async () => {
    await given([maps, configMap('a', '', { x: '1' })]);
    const engine = await follow();
    world.remoteCalls.length = 0;

    for (let i = 0; i < 10; i += 1) {
      await edit();
      await new Promise((resolve) => setTimeout(resolve, 150));
    }

    expect(writes(world.remoteCalls).length).toBeLessThanOrEqual(2);
    expect(engine.tally.drifted).toBe(1);
  });

  const lost = new KubeError('lost', { status: 500, reason: 'InternalError' });
  /** What happens before anyone hears of the next write of the engine. */
  const afterNextWrite = (happens: () => Promise<void>): void => {
    const { client } = world.remote;
    const apply = client.apply.bind(client);
    client.apply = async (...args) => {
      client.apply = apply;
      const made = await apply(...args);
      await happens();
      return made as never;
    };
  };
  const isThere = (name: string) => async () =>
    (await dataOf(world.remoteUser, to))[name] === undefined ? undefined : true;

  test('When it is deleted Then it is made again', async () => {
    await given([maps, configMap('a', '', { x: '1' })]);
    await follow();

    await world.remoteUser.client.delete(at(maps, 'a'));

    await eventually('the object', isThere('a'));
  });

  test('When it is deleted while nobody can watch, before any list had it, Then it is made again', async () => {
    await given([maps, configMap('a', '', { x: '1' })]);
    await follow();

    faults.breakWatches(true);
    await put(maps, configMap('b', '', { x: '1' }));
    await eventually('the object', isThere('b'));
    await world.remoteUser.client.delete(at(maps, 'b'));

    await eventually('the object again', isThere('b'));
  });

  test('When its deletion is heard of before the answer to its making Then it is made again', async () => {
    await given([maps, configMap('a', '', { x: '1' })]);
    await follow();
    afterNextWrite(async () => {
      await world.remoteUser.client.delete(at(maps, 'b'));
      await sleep(300, signal);
    });

    await put(maps, configMap('b', '', { x: '1' }));

    await eventually('the object', isThere('b'));
  });

  test('When its making has no answer and it is changed at once Then it is put right', async () => {
    await given([maps, configMap('a', '', { x: '1' })]);
    await follow();
    afterNextWrite(async () => {
      // In the same second nobody could tell who was first.
      await sleep(1_100, signal);
      await edit('b');
      throw lost;
    });

    await put(maps, configMap('b', '', { x: '1' }));

    await eventually('our value', async () => {
      const { b } = await dataOf(world.remoteUser, to);
      return (b as Record<string, string> | undefined)?.['x'] === '1' ? true : undefined;
    });
  });

  test('When it is changed in the second of its making, which has no answer, Then it is ours if it is nothing without our fields', async () => {
    await given([maps, configMap('a', '', { x: '1' })]);
    await follow();
    afterNextWrite(async () => {
      const body = { spec: { replicas: 2 } };
      await world.remoteUser.client.patch(at(wellKnown.deployments, 'b'), body, 'merge', {
        fieldManager: 'hpa',
      });
      throw lost;
    });

    await put(wellKnown.deployments, deployment('b', '', 1));

    await eventually('no replicas', async () => {
      const found = await world.remoteUser.client.find(at(wellKnown.deployments, 'b'));
      return (found?.['spec'] as { replicas: number } | undefined)?.replicas === 0 ? true : undefined;
    });
  });

  test('When a change of ours has no answer Then it is not taken for theirs', async () => {
    await given([maps, configMap('a', '', { x: '1' })]);
    const engine = await follow({ spec: { drift: 'Report' } });
    let isLost = false;
    afterNextWrite(() => {
      isLost = true;
      return Promise.reject(lost);
    });

    await put(maps, configMap('a', '', { x: '1', y: '2' }));
    await eventually('a second look', async () => {
      const { a } = await dataOf(world.remoteUser, to);
      return (a as Record<string, string> | undefined)?.['y'] === '2' && isLost && engine.tally.failures === 0
        ? true
        : undefined;
    });

    expect(engine.tally.drifted).toBe(0);
  });
});
