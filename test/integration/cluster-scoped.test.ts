import { groupVersionOf, type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { object } from './kinds/case.js';
import { customResourceDefinitions } from './kinds/definitions.js';
import { until } from './kube/fixture.js';
import { openStandby, startTwoApiServers, type TwoApiServers } from './support/two-api-servers.js';

const { signal } = new AbortController();
const crds = wellKnown.customResourceDefinitions;
const custom = (group: string, kind: string): Resource => ({
  ...{ group, version: 'v1', kind, plural: `${kind.toLowerCase()}s`, namespaced: true },
});
const widgets = custom('shop.test', 'Widget');
const clusters = custom('postgresql.cnpg.io', 'Cluster');

describe('Given a source with custom resources, and a remote without their definitions', () => {
  let world: TwoApiServers;
  let count = 0;
  let from = '';

  beforeAll(async () => {
    world = await startTwoApiServers();
    const wanted = [widgets, clusters].map(({ plural, group }) => `${plural}.${group}`);
    for (const crd of customResourceDefinitions()) {
      if (wanted.includes(crd.metadata.name)) await world.sourceUser.client.create(crds, crd);
    }
    for (const type of [widgets, clusters]) {
      await until(async () => (await world.sourceUser.client.list(type)).items.length === 0);
    }
  }, 120_000);

  afterAll(() => world.close());

  const given = async (metadata: object, ...objects: [Resource, KubeObject][]): Promise<string> => {
    count += 1;
    from = `cs-${count}`;
    await world.sourceUser.client.create(wellKnown.namespaces, object('v1', 'Namespace', from, { metadata }));
    for (const [type, one] of objects) {
      await world.sourceUser.client.create(type, { ...one, metadata: { ...one.metadata, namespace: from } });
    }
    return `${from}-dr`;
  };
  const widget = object(groupVersionOf(widgets), 'Widget', 'w', { spec: { pods: { size: 3 } } });

  const sync = async (to: string, spec: Record<string, unknown>) => {
    const standby = await openStandby(world, from, to, { spec });
    const { engine } = standby;
    await engine.pass(signal);
    const result = {
      stats: engine.tally.stats(),
      first: engine.tally.firstFailure,
      condition: engine.surroundings,
    };
    await standby.close();
    return result;
  };

  test('When definitions are not asked for Then the objects are named, and nothing is installed', async () => {
    const to = await given({}, [widgets, widget]);

    const { stats, first } = await sync(to, {});

    expect(stats).toMatchObject({ failed: 1 });
    expect(first).toMatchObject({
      code: 'TypeNotServed',
      text: expect.stringContaining('widgets.shop.test'),
    });
    expect((await world.remoteUser.client.list(crds)).items).toEqual([]);
  });

  test('When they are Then those that are used are installed, and the objects are there in the same sync', async () => {
    const to = await given({}, [widgets, widget]);
    const spec = { clusterResources: { customResourceDefinitions: true } };

    const { stats, condition } = await sync(to, spec);

    expect(stats).toMatchObject({ failed: 0 });
    expect(condition).toMatchObject({ type: 'ClusterResourcesReady', status: 'True' });
    const { items } = await world.remoteUser.client.list(crds);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['widgets.shop.test']);
    const copy = await world.remoteUser.client.get({ resource: widgets, namespace: to, name: 'w' });
    expect(copy['spec']).toEqual({ pods: { size: 0 } });

    const [before] = items;
    await sync(to, spec);
    expect((await world.remoteUser.client.list(crds)).items[0]?.metadata.resourceVersion).toBe(
      before?.metadata.resourceVersion,
    );
  });

  test('When the remote has a definition of its own Then that is left alone', async () => {
    const name = 'clusters.postgresql.cnpg.io';
    const own = customResourceDefinitions().find(({ metadata }) => metadata.name === name)!;
    own.metadata.labels = { installed: 'by-hand' };
    await world.remoteUser.client.create(crds, own);
    const before = await world.remoteUser.client.get({ resource: crds, name });
    await until(async () => (await world.remoteUser.client.list(clusters)).items.length === 0);
    const labels = { 'dr-syncer.io/scale-override': '1' };
    const to = await given({}, [
      clusters,
      object(groupVersionOf(clusters), 'Cluster', 'pg', { metadata: { labels }, spec: { instances: 2 } }),
    ]);

    const { stats } = await sync(to, { clusterResources: { customResourceDefinitions: true } });

    expect(stats).toMatchObject({ failed: 0 });
    const after = await world.remoteUser.client.get({ resource: crds, name });
    expect(after.metadata.labels).toEqual(before.metadata.labels);
    expect(after['spec']).toEqual(before['spec']);
  });

  test('When the remote lacks classes that objects name Then a condition warns, and nothing fails', async () => {
    const template = {
      metadata: { labels: { a: 'b' } },
      spec: { priorityClassName: 'high', containers: [{ name: 'c', image: 'x:1' }] },
    };
    const high: Resource = {
      ...{ group: 'scheduling.k8s.io', version: 'v1', plural: 'priorityclasses', kind: 'PriorityClass' },
      namespaced: false,
    };
    await world.sourceUser.client.create(
      high,
      object('scheduling.k8s.io/v1', 'PriorityClass', 'high', { value: 7 }),
    );
    const to = await given({}, [
      wellKnown.deployments,
      object('apps/v1', 'Deployment', 'web', { spec: { selector: { matchLabels: { a: 'b' } }, template } }),
    ]);

    const { stats, condition } = await sync(to, {});

    expect(stats).toMatchObject({ failed: 0 });
    expect(condition).toMatchObject({
      status: 'False',
      reason: 'ClassNotFound',
      message: 'the remote cluster has no PriorityClass/high.',
    });
    expect((await sync(to, { clusterResources: { checkClasses: false } })).condition.status).toBe('True');
    await world.remoteUser.client.create(
      high,
      object('scheduling.k8s.io/v1', 'PriorityClass', 'high', { value: 7 }),
    );
    expect((await sync(to, {})).condition.status).toBe('True');
  });

  test('Then labels and annotations of the namespace come along where asked for, and follow', async () => {
    const to = await given({
      labels: { 'pod-security.kubernetes.io/enforce': 'baseline', team: 'red' },
      annotations: { note: 'x', 'openshift.io/sa.scc.uid-range': '1000/10000' },
    });
    const there = async () =>
      (await world.remoteUser.client.get({ resource: wellKnown.namespaces, name: to })).metadata;

    await sync(to, {});
    expect((await there()).labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'baseline' });
    expect((await there()).labels).not.toHaveProperty('team');
    expect((await there()).annotations).not.toHaveProperty('note');

    const spec = { clusterResources: { namespaceLabels: true, namespaceAnnotations: true } };
    await sync(to, spec);
    expect(await there()).toMatchObject({ labels: { team: 'red' }, annotations: { note: 'x' } });
    expect((await there()).annotations).not.toHaveProperty(['openshift.io/sa.scc.uid-range']);

    const { resourceVersion } = await there();
    await sync(to, spec);
    expect((await there()).resourceVersion).toBe(resourceVersion);
    await sync(to, {});
    expect((await there()).labels).not.toHaveProperty('team');
  });
});
