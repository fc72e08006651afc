import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { annotation } from '@dr-syncer/api';
import { remoteClusters, replications, type SyncPlan } from '@dr-syncer/controller';
import { groupVersionOf, type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

import { object } from './kinds/case.js';
import { customResourceDefinitions } from './kinds/definitions.js';
import { eventually } from '../support/eventually.js';
import {
  configMap,
  makeNamespace,
  openStandby,
  startTwoApiServers,
  type TwoApiServers,
} from './support/two-api-servers.js';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const { signal } = new AbortController();
const repository = join(import.meta.dirname, '../..');
const { configMaps: maps, secrets, services, persistentVolumeClaims: claims } = wellKnown;
const crds = wellKnown.customResourceDefinitions;
const SYSTEM = 'dr-syncer-system';
const OLD = Buffer.from('old-hunter2').toString('base64');
const NEW = Buffer.from('new-hunter3').toString('base64');

describe('Given a Replication, a source and a remote', () => {
  let world: TwoApiServers;
  let from = '';
  let to = '';
  let count = 0;

  beforeAll(async () => {
    world = await startTwoApiServers();
    const { client } = world.sourceUser;
    for (const name of ['replications', 'remoteclusters']) {
      const text = await readFile(join(repository, `manifests/crds/${name}.yaml`), 'utf8');
      await client.create(crds, parse(text) as KubeObject);
    }
    await makeNamespace(world.sourceUser, SYSTEM);
    for (const type of [replications, remoteClusters]) {
      const served = () =>
        client.list(type).then(
          () => true,
          () => undefined,
        );
      await eventually(`${type.plural} are served`, served);
    }
  }, 120_000);

  afterAll(() => world.close());

  const put = (resource: Resource, one: KubeObject): Promise<KubeObject> =>
    world.sourceUser.client.apply(
      resource,
      { ...one, metadata: { ...one.metadata, namespace: from } },
      { fieldManager: 'user', force: true },
    );

  /** A source namespace and its Replication. */
  const given = async (spec: object, ...objects: [Resource, KubeObject][]): Promise<void> => {
    count += 1;
    from = `plan-${count}`;
    to = `${from}-dr`;
    await makeNamespace(world.sourceUser, from);
    for (const [resource, one] of objects) await put(resource, one);
    await replicate(spec);
  };
  const replicate = (spec: object): Promise<KubeObject> =>
    world.sourceUser.client.apply(
      replications,
      {
        ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
        metadata: { name: from, namespace: SYSTEM },
        spec: { destinationCluster: 'standby', sourceNamespace: from, destinationNamespace: to, ...spec },
      },
      { fieldManager: 'user', force: true },
    );

  /** A real sync by the engine. */
  const sync = async () => {
    const { client } = world.sourceUser;
    const replication = await client.get({ resource: replications, namespace: SYSTEM, name: from });
    const system = await client.get({ resource: wellKnown.namespaces, name: 'kube-system' });
    const open = await openStandby(world, from, to, {
      spec: replication['spec'] as Record<string, unknown>,
      ...{ name: from, uid: replication.metadata.uid ?? '', sourceId: system.metadata.uid ?? '' },
    });
    await open.engine.pass(signal);
    const { written, failures, firstFailure } = open.engine.tally;
    await open.close();
    return { written, failures, firstFailure };
  };

  const drSyncer = (...args: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const cli = join(repository, 'packages/cli/dist/main.js');
      const all = [cli, ...args, '-n', SYSTEM, '--kubeconfig', world.sourceServer.kubeconfigPath];
      execFile(process.execPath, all, { timeout: 60_000 }, (err, out, stderr) =>
        resolve({ code: err === null ? 0 : Number(err.code ?? 255), out, err: stderr }),
      );
    });
  const remoteOption = () => ['--remote-kubeconfig', world.remoteServer.kubeconfigPath];
  const plan = async (): Promise<{ code: number; result: SyncPlan }> => {
    const { code, out, err } = await drSyncer('plan', from, '-o', 'json', ...remoteOption());
    if (code !== 0 && code !== 4) throw new Error(`${code}: ${err}`);
    return { code, result: JSON.parse(out) as SyncPlan };
  };
  /** As `action Kind/name`, those that every namespace has left out. */
  const lines = ({ objects }: SyncPlan): string[] =>
    objects
      .filter(({ name }) => name !== 'kube-root-ca.crt' && name !== 'default')
      .map(({ action, kind, name }) => `${action} ${kind}/${name}`)
      .sort();

  test('When nothing has been synced Then all is to be created, and nothing is', async () => {
    await given({}, [maps, configMap('a', '', { x: '1' })], [secrets, secretOf(OLD)]);

    const { code, result } = await plan();

    expect(code).toBe(4);
    expect(result).toMatchObject({ inStep: false, unchanged: 0, destinationNamespace: to });
    expect(lines(result)).toEqual([`create ConfigMap/a`, `create Namespace/${to}`, 'create Secret/s']);
    const namespace = { resource: wellKnown.namespaces, name: to };
    expect(await world.remoteUser.client.find(namespace)).toBeUndefined();
  });

  test('When it has just been synced Then it is in step, with exit code 0', async () => {
    await given({}, [maps, configMap('a', '', { x: '1' })], [secrets, secretOf(OLD)]);
    await sync();

    const { code, result } = await plan();

    expect({ code, inStep: result.inStep, unchanged: result.unchanged }).toEqual({
      ...{ code: 0, inStep: true, unchanged: 2 },
    });
  });

  describe('When both ends have changed', () => {
    const atRemote = (resource: Resource, name: string) => ({ resource, name, namespace: to });

    const changed = async (): Promise<void> => {
      await given(
        { immutableResources: { default: 'Recreate' }, excludeResources: [{ kind: 'cm', name: 'excluded' }] },
        ...['same', 'changed', 'drifted', 'deleted', 'gone'].map((name): [Resource, KubeObject] => [
          ...([maps, configMap(name, '', { x: '1', 'a.b': '1' })] as const),
        ]),
        [maps, { ...configMap('immutable', '', { x: '1' }), immutable: true }],
        [secrets, secretOf(OLD)],
        [services, object('v1', 'Service', 'web', { spec: { ports: [{ name: 'http', port: 80 }] } })],
      );
      await sync();
      const { client } = world.sourceUser;
      const remote = world.remoteUser.client;
      await put(maps, configMap('changed', '', { x: '2', 'a.b': '1' }));
      await put(maps, configMap('new', '', { x: '1' }));
      await put(maps, configMap('excluded', '', { x: '1' }));
      await put(maps, configMap('foreign', '', { x: '1' }));
      await put(secrets, secretOf(NEW));
      const ports = [
        { name: 'https', port: 443 },
        { name: 'http', port: 80, targetPort: 8080 },
      ];
      await put(services, object('v1', 'Service', 'web', { spec: { ports } }));
      await client.delete({ resource: maps, namespace: from, name: 'gone' });
      await client.delete({ resource: maps, namespace: from, name: 'immutable' });
      await put(maps, { ...configMap('immutable', '', { x: '2' }), immutable: true });
      await remote.patch(atRemote(maps, 'drifted'), { data: { x: '9' } }, 'merge', { fieldManager: 'other' });
      await remote.delete(atRemote(maps, 'deleted'));
      await remote.create(maps, configMap('foreign', to, { mine: 'yes' }));
    };

    test('Then the plan says what, field by field, and the sync does exactly that', async () => {
      await changed();
      const before = await world.remoteUser.client.list(maps, { namespace: to });

      const { code, result } = await plan();

      expect(code).toBe(4);
      expect(lines(result)).toEqual([
        'create ConfigMap/deleted',
        'create ConfigMap/new',
        'fail ConfigMap/foreign',
        'keep ConfigMap/gone',
        'recreate ConfigMap/immutable',
        'repair ConfigMap/drifted',
        'skip ConfigMap/excluded',
        'update ConfigMap/changed',
        'update Secret/s',
        'update Service/web',
      ]);
      const of = (name: string) => result.objects.find((one) => one.name === name);
      const fields = (name: string) =>
        of(name)?.changes?.filter(({ path }) => !path.includes(annotation.desiredHash));
      expect(fields('changed')).toEqual([{ path: '.data.x', change: 'changed', before: '1', after: '2' }]);
      expect(fields('drifted')).toEqual([{ path: '.data.x', change: 'changed', before: '9', after: '1' }]);
      expect(fields('immutable')).toContainEqual({
        ...{ path: '.data.x', change: 'changed', before: '1', after: '2' },
      });
      expect(fields('web')).toEqual([
        { path: '.spec.ports[name=http].targetPort', change: 'changed', before: 80, after: 8080 },
        ...[
          { path: '.spec.ports[name=https].name', change: 'added', after: 'https' },
          { path: '.spec.ports[name=https].port', change: 'added', after: 443 },
          { path: '.spec.ports[name=https].protocol', change: 'added', after: 'TCP' },
          { path: '.spec.ports[name=https].targetPort', change: 'added', after: 443 },
        ],
      ]);
      expect(of('foreign')).toMatchObject({ code: 'ForeignObject' });
      expect(of('excluded')?.reason).toContain('spec.excludeResources');
      expect(await world.remoteUser.client.list(maps, { namespace: to })).toMatchObject({
        items: before.items,
      });

      const { written, failures } = await sync();
      const writing = result.objects.filter(({ action }) =>
        ['create', 'update', 'repair', 'recreate'].includes(action),
      );
      expect({ written, failures }).toEqual({ written: writing.length, failures: 1 });
      expect(lines((await plan()).result)).toEqual([
        'fail ConfigMap/foreign',
        'keep ConfigMap/gone',
        'skip ConfigMap/excluded',
      ]);
    });

    test('Then no value of a Secret is shown, in no format', async () => {
      await changed();

      for (const output of ['table', 'json', 'yaml']) {
        const { out, err } = await drSyncer('plan', from, '-o', output, ...remoteOption());
        const said = out + err;
        expect(said).toContain('.data.password');
        for (const value of [OLD, NEW, 'hunter']) expect(said).not.toContain(value);
      }
      const { result } = await plan();
      const secret = result.objects.find(({ kind }) => kind === 'Secret');
      expect(secret?.changes).toContainEqual({ path: '.data.password', change: 'changed', hidden: true });
    });

    test('Then the table has a line for each, and the numbers', async () => {
      await changed();

      const { out, err } = await drSyncer('plan', from, ...remoteOption());

      expect(out).toMatch(/^ACTION +OBJECT/);
      expect(out).toMatch(/^update +ConfigMap\/changed\n +\.data\.x: "1" -> "2"$/m);
      expect(out).toMatch(/^fail +ConfigMap\/foreign +ForeignObject: /m);
      expect(err).toMatch(/create 2.*unchanged 1/);
    });
  });

  test('When a rule makes an object that the remote refuses Then the plan names object and rule', async () => {
    const transforms = [
      { name: 'fine', selector: { names: 'a' }, mergePatch: { data: { y: '1' } } },
      { name: 'broken', selector: { names: 'a' }, mergePatch: { data: { x: { deep: 1 } } } },
    ];
    await given({ transforms }, [maps, configMap('a', '', { x: '1' })], [maps, configMap('b', '', {})]);
    await makeNamespace(world.remoteUser, to);

    const { result } = await plan();

    const failed = result.objects.find(({ name }) => name === 'a');
    expect(failed).toMatchObject({ action: 'fail', code: 'ObjectRejected' });
    expect(failed?.reason).toMatch(/spec\.transforms "fine", "broken"/);
    expect(lines(result)).toContain('create ConfigMap/b');
    expect((await sync()).firstFailure).toMatchObject({
      text: expect.stringMatching(/spec\.transforms "fine", "broken"/) as unknown,
    });
  });

  test('When sources are gone and pruning is asked for Then the plan says what goes, and what waits for a yes', async () => {
    const prune = { enabled: true, graceSeconds: 0, maxObjects: 1 };
    const names = ['a', 'b', 'c'];
    const all = names.map((name): [Resource, KubeObject] => [maps, configMap(name, '', {})]);
    const claim = object('v1', 'PersistentVolumeClaim', 'data', {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    await given({ prune }, ...all, [claims, claim]);
    await sync();
    const { client } = world.sourceUser;
    const remove = (resource: Resource, name: string) =>
      client.delete({ resource, namespace: from, name }, { gracePeriodSeconds: 0 });
    await remove(maps, 'a');

    expect(lines((await plan()).result)).toEqual(['prune ConfigMap/a']);
    await remove(maps, 'b');
    const { result } = await plan();
    expect(lines(result)).toEqual(['held ConfigMap/a', 'held ConfigMap/b']);
    const token = /confirm-prune=(\w+)/.exec(result.objects[0]?.reason ?? '')?.[1];
    await client.patch(
      { resource: replications, namespace: SYSTEM, name: from },
      { metadata: { annotations: { [annotation.confirmPrune]: token } } },
      'merge',
    );

    expect(lines((await plan()).result)).toEqual(['prune ConfigMap/a', 'prune ConfigMap/b']);
    expect((await plan()).result.volumes).toEqual(['data']);
  });

  test('When definitions are asked for Then the plan has them and what depends on them, and installs none', async () => {
    const type = { group: 'shop.test', version: 'v1', kind: 'Widget', plural: 'widgets', namespaced: true };
    const [crd] = customResourceDefinitions().filter(({ metadata }) => metadata.name === 'widgets.shop.test');
    await world.sourceUser.client.create(crds, crd ?? { apiVersion: '', kind: '', metadata: { name: '' } });
    const served = () =>
      world.sourceUser.client.list(type).then(
        () => true,
        () => undefined,
      );
    await eventually('widgets are served', served);
    const widget = object(groupVersionOf(type), 'Widget', 'w', { spec: { pods: { size: 3 } } });
    await given({}, [type, widget]);

    expect(lines((await plan()).result)).toContain('fail Widget/w');
    await replicate({ clusterResources: { customResourceDefinitions: true } });
    const { result } = await plan();

    expect(lines(result)).toEqual([
      'create CustomResourceDefinition/widgets.shop.test',
      `create Namespace/${to}`,
      'create Widget/w',
    ]);
    expect((await world.remoteUser.client.list(crds)).items).toEqual([]);
    await world.sourceUser.client.delete({ resource: crds, name: 'widgets.shop.test' });
  });

  test('When the remote is known by the RemoteCluster alone Then its Secret is used', async () => {
    await given({}, [maps, configMap('a', '', { x: '1' })]);
    const { client } = world.sourceUser;
    const metadata = { name: 'standby', namespace: SYSTEM };
    const kubeconfig = Buffer.from(world.remoteServer.kubeconfig).toString('base64');
    await client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata, data: { kubeconfig } });
    await client.create(remoteClusters, {
      ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster', metadata },
      spec: { kubeconfigSecret: 'standby' },
    });

    const { code, out } = await drSyncer('plan', from);

    expect({ code, out }).toMatchObject({ code: 4, out: expect.stringContaining('ConfigMap/a') as unknown });
  });

  test('When the standby is active, or another source has it, Then it says that a sync would do nothing', async () => {
    await given({}, [maps, configMap('a', '', { x: '1' })]);
    await sync();
    const namespace = { resource: wellKnown.namespaces, name: to };
    const annotate = (annotations: Record<string, string | null>) =>
      world.remoteUser.client.patch(namespace, { metadata: { annotations } }, 'merge');
    await annotate({ [annotation.active]: 'true' });
    expect(await drSyncer('plan', from, ...remoteOption())).toMatchObject({
      ...{ code: 1, err: expect.stringContaining('StandbyActive') as unknown },
    });

    const other = { cluster: 'other', namespace: 'x', replications: {} };
    await annotate({ [annotation.active]: null, [annotation.standby]: JSON.stringify(other) });
    expect(await drSyncer('plan', from, ...remoteOption())).toMatchObject({
      ...{ code: 1, err: expect.stringContaining('DestinationOwned') as unknown },
    });
    expect(await drSyncer('plan', 'nobody', ...remoteOption())).toMatchObject({ code: 1 });
  });
});

function secretOf(password: string): KubeObject {
  return {
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', annotations: { copy: password } } },
    data: { password, other: 'c2FtZQ==' },
  };
}
