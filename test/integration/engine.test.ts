import { annotation, label } from '@dr-syncer/api';
import { type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { eventually } from '../support/eventually.js';
import { NamespacePairs, type Typed } from './support/namespace-pairs.js';
import {
  configMap,
  dataOf,
  makeNamespace,
  type StandbyOptions,
  startTwoApiServers,
  type TwoApiServers,
  writes,
} from './support/two-api-servers.js';

const { signal } = new AbortController();
const maps = wellKnown.configMaps;

describe('Given a source and a remote', () => {
  let world: TwoApiServers;
  let from = '';
  let to = '';
  let pairs: NamespacePairs;

  beforeAll(async () => {
    world = await startTwoApiServers();
    pairs = new NamespacePairs(world, 'app');
  }, 120_000);

  afterAll(() => world.close());

  afterEach(() => pairs.closeEngines());

  const given = async (...objects: Typed[]): Promise<void> => {
    ({ from, to } = await pairs.make(objects));
  };
  const put = (resource: Resource, object: KubeObject) => pairs.put(resource, object);
  const at = (resource: Resource, name: string) => ({ resource, name, namespace: to });
  const standby = (options?: StandbyOptions) => pairs.open(options);
  const sync = (options?: StandbyOptions) => pairs.sync(options);
  const follow = (options: StandbyOptions = {}) => sync({ ...options, watch: true });

  test('When it is synced Then all is there; synced again, nothing is written, and never anything at the source', async () => {
    await given([maps, configMap('a', '', { x: '1' })], [maps, configMap('b', '', { y: '2' })]);
    world.sourceCalls.length = 0;

    const first = await sync();

    expect(first.tally.stats()).toMatchObject({ total: 2, applied: 2, failed: 0 });
    expect(await dataOf(world.remoteUser, to)).toEqual({ a: { x: '1' }, b: { y: '2' } });
    world.remoteCalls.length = 0;
    const second = await sync();
    expect(second.tally.stats()).toMatchObject({ total: 2, applied: 0, unchanged: 2, failed: 0 });
    expect(writes(world.remoteCalls)).toEqual([]);
    expect(writes(world.sourceCalls)).toEqual([]);
  });

  test('When one of them changes while it is followed Then one call brings the change, at once', async () => {
    await given([maps, configMap('a', '', { x: '1' })], [maps, configMap('b', '', { y: '2' })]);
    await follow();
    world.remoteCalls.length = 0;

    const begun = performance.now();
    await put(maps, configMap('a', '', { x: '2' }));
    await eventually('the change', async () =>
      JSON.stringify((await dataOf(world.remoteUser, to))['a']) === '{"x":"2"}' ? true : undefined,
    );

    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(writes(world.remoteCalls)).toHaveLength(1);
  });

  test('When the first object of a type comes, and one goes Then the standby follows', async () => {
    await given();
    const engine = await follow();

    await put(maps, configMap('late', '', { x: '1' }));
    await eventually('the object', async () =>
      (await dataOf(world.remoteUser, to))['late'] === undefined ? undefined : true,
    );
    await world.sourceUser.client.delete({ resource: maps, name: 'late', namespace: from });
    await eventually('the tally', () => Promise.resolve(engine.tally.stats().kept === 1 ? true : undefined));

    expect(await dataOf(world.remoteUser, to)).toEqual({ late: { x: '1' } });
  });

  describe('When the source changes what the destination does not let be changed', () => {
    const jobs: Resource = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };
    const job = (image: string): KubeObject => ({
      ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'j' } },
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image }] } } },
    });
    const imageThere = async () => JSON.stringify((await world.remoteUser.client.get(at(jobs, 'j')))['spec']);
    const changed = async (spec: Record<string, unknown>) => {
      await given([jobs, job('x:1')]);
      await sync({ spec });
      const { uid } = (await world.remoteUser.client.get(at(jobs, 'j'))).metadata;
      await world.sourceUser.client.delete(
        { resource: jobs, namespace: from, name: 'j' },
        { propagationPolicy: 'Background' },
      );
      await put(jobs, job('x:2'));
      return { uid, engine: await sync({ spec }) };
    };

    test('Then it fails by name, and stays as it is', async () => {
      const { engine, uid } = await changed({});

      expect(engine.tally.stats()).toMatchObject({ failed: 1 });
      expect(engine.tally.firstFailure).toMatchObject({ code: 'ImmutableField' });
      expect(engine.tally.firstFailure?.text).toContain('Job/j');
      expect((await world.remoteUser.client.get(at(jobs, 'j'))).metadata.uid).toBe(uid);
    });

    test('Then it is left and counted as drifted, where that is the policy', async () => {
      const { engine } = await changed({ immutableResources: { default: 'NoChange' } });

      expect(engine.tally.stats()).toMatchObject({ failed: 0, drifted: 1 });
      expect(await imageThere()).toContain('x:1');
    });

    test('Then it is made anew, where that is the policy for its kind', async () => {
      const { engine, uid } = await changed({
        immutableResources: { kinds: [{ kind: 'jobs', action: 'Recreate' }] },
      });

      expect(engine.tally.stats()).toMatchObject({ failed: 0, applied: 1 });
      expect(await imageThere()).toContain('x:2');
      expect((await world.remoteUser.client.get(at(jobs, 'j'))).metadata.uid).not.toBe(uid);
    });

    test('Then the type of a Secret counts as well, whose message says nothing of it', async () => {
      const secret = (type: string): KubeObject => ({
        ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, type },
        data: { password: 'aHVudGVyMg==' },
      });
      await given([wellKnown.secrets, secret('example.com/a')]);
      await sync();
      await world.sourceUser.client.delete({ resource: wellKnown.secrets, namespace: from, name: 's' });
      await put(wellKnown.secrets, secret('example.com/b'));

      const failing = await sync();
      expect(failing.tally.firstFailure).toMatchObject({ code: 'ImmutableField' });
      expect(failing.tally.firstFailure?.text).not.toContain('aHVudGVyMg');

      const engine = await sync({ spec: { immutableResources: { default: 'Recreate' } } });
      expect(engine.tally.stats()).toMatchObject({ failed: 0, applied: 1 });
      expect((await world.remoteUser.client.get(at(wellKnown.secrets, 's')))['type']).toBe('example.com/b');
    });

    test('Then a claim is never made anew, whatever the policy', async () => {
      const claims = wellKnown.persistentVolumeClaims;
      const claim = (mode: string): KubeObject => ({
        ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' } },
        spec: { accessModes: [mode], resources: { requests: { storage: '1Gi' } } },
      });
      await given([claims, claim('ReadWriteOnce')]);
      await sync();
      const { uid } = (await world.remoteUser.client.get(at(claims, 'data'))).metadata;

      const engine = await sync({
        spec: {
          immutableResources: { default: 'Recreate' },
          pvcConfig: { accessModeMapping: { ReadWriteOnce: 'ReadWriteMany' } },
        },
      });

      expect(engine.tally.firstFailure?.text).toMatch(/data of the claim would go with it/);
      expect((await world.remoteUser.client.get(at(claims, 'data'))).metadata.uid).toBe(uid);
    });
  });

  describe('When another manager took a field, and the source changes it', () => {
    const conflict = async (conflicts: Record<string, unknown>) => {
      await given([maps, configMap('a', '', { x: '1' })]);
      await sync();
      await world.remoteUser.client.apply(maps, configMap('a', to, { x: 'theirs' }), {
        fieldManager: 'argocd',
        force: true,
      });
      await put(maps, configMap('a', '', { x: '2' }));
      return sync({ spec: { conflicts } });
    };

    test('Then it is taken back by default', async () => {
      expect((await conflict({})).tally.failures).toBe(0);
      expect(await dataOf(world.remoteUser, to)).toEqual({ a: { x: '2' } });
    });

    test('Then it is reported, with who it was, where that is the policy for them', async () => {
      const { tally } = await conflict({ managers: [{ name: 'argo*', action: 'Report' }] });

      expect(tally.firstFailure).toMatchObject({ code: 'ObjectConflict' });
      expect(tally.firstFailure?.text).toContain('"argocd"');
      expect(await dataOf(world.remoteUser, to)).toEqual({ a: { x: 'theirs' } });
    });
  });

  describe('When an object of that name is there already', () => {
    test('Then ours is made as soon as it is gone', async () => {
      await given([maps, configMap('a', '', { x: '1' })]);
      await makeNamespace(world.remoteUser, to);
      await world.remoteUser.client.create(maps, configMap('a', to, { mine: '1' }));
      expect((await follow()).tally.failures).toBe(1);

      await world.remoteUser.client.delete(at(maps, 'a'));

      await eventually('ours', async () =>
        JSON.stringify(await dataOf(world.remoteUser, to)) === '{"a":{"x":"1"}}' ? true : undefined,
      );
    });

    test('Then it is left alone and named', async () => {
      await given([maps, configMap('a', '', { x: '1' })], [maps, configMap('b', '', {})]);
      await makeNamespace(world.remoteUser, to);
      await world.remoteUser.client.create(maps, configMap('a', to, { mine: '1' }));

      const { tally } = await sync();

      expect(tally.stats()).toMatchObject({ failed: 1, applied: 1 });
      expect(tally.firstFailure).toMatchObject({ code: 'ForeignObject' });
      expect((await dataOf(world.remoteUser, to))['a']).toEqual({ mine: '1' });
    });

    test('Then one that came between look and write is left as it was', async () => {
      await given([maps, configMap('a', '', { x: '1' })]);
      await makeNamespace(world.remoteUser, to);
      const engine = await standby();
      // After the look at the destination, before the first write.
      const original = world.remote.client.apply.bind(world.remote.client);
      world.remote.client.apply = async (resource, object, options) => {
        world.remote.client.apply = original;
        const theirs = configMap('a', to, { mine: '1' });
        await world.remoteUser.client.create(maps, theirs, { fieldManager: 'somebody' });
        return original(resource, object, options);
      };

      await engine.pass(signal);

      expect(engine.tally.firstFailure).toMatchObject({ code: 'ForeignObject' });
      const left = await world.remoteUser.client.get(at(maps, 'a'));
      expect(left['data']).toEqual({ mine: '1' });
      expect(left.metadata.labels).toBeUndefined();
    });
  });

  describe('When sources are gone', () => {
    const pruning = { enabled: true, graceSeconds: 0, maxObjects: 2, maxPercent: 100 };
    const remove = (...names: string[]) =>
      Promise.all(
        names.map((name) => world.sourceUser.client.delete({ resource: maps, name, namespace: from })),
      );
    const four = () =>
      given(...['a', 'b', 'c', 'd'].map((n): [Resource, KubeObject] => [maps, configMap(n, '', {})]));

    test('Then their copies stay, unless pruning is asked for', async () => {
      await four();
      await sync();
      await remove('a');

      expect((await sync()).tally.stats()).toMatchObject({ kept: 1 });
      expect(Object.keys(await dataOf(world.remoteUser, to))).toHaveLength(4);
      expect((await sync({ spec: { prune: pruning } })).tally.stats()).toMatchObject({ pruned: 1 });
      expect(Object.keys(await dataOf(world.remoteUser, to))).toEqual(['b', 'c', 'd']);
    });

    test('Then they are marked, wait for their grace, and are spared when the source comes back', async () => {
      await four();
      await sync();
      await remove('a');
      const spec = { prune: { ...pruning, graceSeconds: 3600 } };
      const engine = await sync({ spec });

      expect(engine.pruning).toEqual({ waiting: 1 });
      const marked = await world.remoteUser.client.get(at(maps, 'a'));
      expect(marked.metadata.annotations).toHaveProperty([annotation.sourceGone]);

      await put(maps, configMap('a', '', {}));
      await sync({ spec });
      const back = await world.remoteUser.client.get(at(maps, 'a'));
      expect(back.metadata.annotations).not.toHaveProperty([annotation.sourceGone]);
      expect((await sync({ spec })).tally.stats()).toMatchObject({ applied: 0, unchanged: 4 });
    });

    test('Then more than the guard lets wait for a yes to exactly these', async () => {
      await four();
      await sync();
      await remove('a', 'b', 'c');
      const spec = { prune: pruning };

      const held = await sync({ spec });
      expect(held.pruning).toMatchObject({ waiting: 3, names: expect.arrayContaining(['configmaps/a']) });
      await sync({ spec, confirmed: () => 'some other token' });
      expect(Object.keys(await dataOf(world.remoteUser, to))).toHaveLength(4);

      await sync({ spec, confirmed: () => held.pruning?.token });
      expect(Object.keys(await dataOf(world.remoteUser, to))).toEqual(['d']);
    });

    test('Then nothing without our label goes, and nothing of an excluded source', async () => {
      await four();
      await sync();
      await world.remoteUser.client.create(maps, configMap('theirs', to, {}));
      await put(maps, configMap('b', '', {}, { labels: { [label.ignore]: 'true' } }));
      await remove('a');

      await sync({ spec: { prune: pruning } });

      expect(Object.keys(await dataOf(world.remoteUser, to))).toEqual(['b', 'c', 'd', 'theirs']);
    });

    test('Then a source namespace that is going takes nothing along', async () => {
      await four();
      await sync();
      await remove('a');
      const engine = await standby({ spec: { prune: pruning } });
      // Without a namespace controller it stays in that state.
      await world.sourceUser.client.delete({ resource: wellKnown.namespaces, name: from });

      await engine.pass(signal);

      expect(Object.keys(await dataOf(world.remoteUser, to))).toHaveLength(4);
    });
  });

  describe('When the namespace at the destination', () => {
    test('is active Then nothing is written, and when it is no longer, all is', async () => {
      await given([maps, configMap('a', '', { x: '1' })]);
      const engine = await follow();
      const activate = (value: string | null) =>
        world.remoteUser.client.patch(
          { resource: wellKnown.namespaces, name: to },
          { metadata: { annotations: { [annotation.active]: value } } },
          'merge',
        );
      await activate('true');

      await put(maps, configMap('a', '', { x: '2' }));
      await eventually('the halt', () => Promise.resolve(engine.halted));
      expect(engine.halted).toMatchObject({ code: 'StandbyActive' });
      expect(await dataOf(world.remoteUser, to)).toEqual({ a: { x: '1' } });
      await expect(sync()).rejects.toMatchObject({ code: 'StandbyActive' });

      await activate(null);
      await eventually('the change', async () =>
        JSON.stringify(await dataOf(world.remoteUser, to)) === '{"a":{"x":"2"}}' ? true : undefined,
      );
    });

    test('is the standby of another source Then it is refused', async () => {
      await given([maps, configMap('a', '', { x: '1' })]);
      await sync();

      await expect(sync({ sourceId: 'source-2' })).rejects.toMatchObject({ code: 'DestinationOwned' });
    });

    test('was made by a Replication of the same name that is gone Then it is taken over', async () => {
      await given([maps, configMap('a', '', { x: '1' })]);
      await sync();

      const engine = await sync({ uid: 'uid-2' });

      expect(engine.tally.stats()).toMatchObject({ applied: 1, failed: 0 });
      expect((await sync({ uid: 'uid-2' })).tally.stats()).toMatchObject({ applied: 0, unchanged: 1 });
      // Another name is another Replication, and leaves these alone.
      expect((await sync({ uid: 'uid-3', name: 'other' })).tally.firstFailure).toMatchObject({
        code: 'ForeignObject',
      });
    });
  });
});
