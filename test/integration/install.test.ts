import { type Resource, KubeClient, type KubeObject, parseKubeconfig, wellKnown } from '@dr-syncer/kube';
import { remoteClusters, replications } from '@dr-syncer/controller';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { type ApiServer, startApiServer } from '../cluster/index.js';
import { cli, type CliOutcome } from '../support/cli.js';
import { eventually } from '../support/eventually.js';
import { SYSTEM } from './support/solo/given.js';
import { COPY, REMOTE, SHOP, startHealthy } from './support/solo/healthy.js';
import type { Solo } from './support/solo/solo.js';

interface Change {
  readonly cluster: string;
  readonly change: string;
  readonly kind: string;
  readonly name: string;
}
const changesOf = ({ out }: CliOutcome) => (JSON.parse(out) as { changes: Change[] }).changes;
const clusterRoles: Resource = {
  ...{ group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'clusterroles', kind: 'ClusterRole' },
  namespaced: false,
};

describe('Given two clusters in which nothing is installed', () => {
  let servers: { source: ApiServer; remote: ApiServer };
  let source: KubeClient;
  let remote: KubeClient;

  const install = (...args: string[]) =>
    cli([
      ...['install', '--kubeconfig', servers.source.kubeconfigPath],
      ...['--remote-kubeconfig', servers.remote.kubeconfigPath, '--name', REMOTE],
      ...['--server', servers.remote.url, '-o', 'json', ...args],
    ]);
  const images = [
    '--controller-image',
    'registry.example/controller:1',
    '--agent-image',
    'registry.example/agent:1',
  ];
  const deploymentRef = { resource: wellKnown.deployments, namespace: SYSTEM, name: 'dr-syncer-controller' };

  beforeAll(async () => {
    const [a, b] = await Promise.all([startApiServer({ name: 'src' }), startApiServer({ name: 'dst' })]);
    servers = { source: a, remote: b };
    source = new KubeClient(parseKubeconfig(a.kubeconfig));
    remote = new KubeClient(parseKubeconfig(b.kubeconfig));
  }, 240_000);
  afterAll(async () => {
    await Promise.all([source.close(), remote.close()]);
    await Promise.all([servers.source.stop(), servers.remote.stop()]);
  }, 60_000);

  test('When it is only tried Then it says what would be made, and nothing is', async () => {
    const result = await install('--dry-run', ...images);

    expect({ code: result.code, err: result.err }).toEqual({ code: 0, err: '' });
    expect(changesOf(result)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ cluster: 'source', change: 'created', kind: 'Deployment' }),
        expect.objectContaining({ cluster: 'remote', change: 'created', kind: 'ServiceAccount' }),
        expect.objectContaining({ cluster: 'source', change: 'created', kind: 'RemoteCluster' }),
      ]),
    );
    for (const client of [source, remote]) {
      expect(await client.find({ resource: wellKnown.namespaces, name: SYSTEM })).toBeUndefined();
    }
  }, 60_000);

  test('When a remote is asked for at an address of this machine alone Then nothing is installed', async () => {
    const { code, err } = await cli([
      ...['install', '--kubeconfig', servers.source.kubeconfigPath],
      ...['--remote-kubeconfig', servers.remote.kubeconfigPath],
    ]);

    expect(code).toBe(1);
    expect(err).toContain('--server');
    expect(await source.find({ resource: wellKnown.namespaces, name: SYSTEM })).toBeUndefined();
  }, 60_000);

  test('When it is installed Then both clusters have all of it, and the kubeconfig works', async () => {
    const result = await install(...images);

    expect({ code: result.code, err: result.err }).toEqual({ code: 0, err: '' });
    const deployment = await source.get<
      KubeObject & { spec: { template: { spec: { containers: unknown[] } } } }
    >(deploymentRef);
    const [container] = deployment.spec.template.spec.containers as {
      image: string;
      env: { name: string; value?: string }[];
    }[];
    expect(container?.image).toBe('registry.example/controller:1');
    expect(container?.env).toContainEqual({ name: 'AGENT_IMAGE', value: 'registry.example/agent:1' });
    expect((await source.list(remoteClusters)).items.map(({ metadata }) => metadata.name)).toEqual([REMOTE]);
    const ref = { resource: wellKnown.secrets, namespace: SYSTEM, name: `${REMOTE}-kubeconfig` };
    const { data } = await source.get<KubeObject & { data: { kubeconfig: string } }>(ref);
    const account = new KubeClient(parseKubeconfig(Buffer.from(data.kubeconfig, 'base64')));
    const { items } = await account.list(wellKnown.namespaces);
    await account.close();
    expect(items.map(({ metadata }) => metadata.name)).toContain(SYSTEM);
    expect(result.out + result.err).not.toContain(data.kubeconfig);
  }, 90_000);

  test('When it is installed again Then nothing changes, and the kubeconfig in use stays', async () => {
    const changes = changesOf(await install(...images));

    expect(changes.filter(({ change }) => change !== 'unchanged')).toEqual([
      expect.objectContaining({ change: 'kept', kind: 'Secret', name: `${SYSTEM}/${REMOTE}-kubeconfig` }),
    ]);
  }, 60_000);

  test('When the image is another one Then a dry run says so and changes nothing, and an installation changes it', async () => {
    const other = [
      '--controller-image',
      'registry.example/controller:2',
      '--agent-image',
      'registry.example/agent:1',
    ];
    const changed = (changes: Change[]) =>
      changes.filter(({ change }) => change === 'changed').map(({ kind }) => kind);
    const before = await source.get(deploymentRef);
    const tried = changesOf(await install('--dry-run', ...other));
    const between = await source.get(deploymentRef);
    const done = changesOf(await install(...other));

    expect(changed(tried)).toEqual(['Deployment']);
    expect(between.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    expect(changed(done)).toEqual(['Deployment']);
  }, 90_000);

  test('When nobody runs the controller Then waiting for it ends, with what is in the way', async () => {
    const { code, err } = await install(...images, '--wait', '--timeout', '2s');

    expect(code).toBe(3);
    expect(err).toContain('the controller is not available');
  }, 60_000);
});

describe('Given dr-syncer with a standby', () => {
  let solo: Solo;

  const standby = () =>
    solo.client.find({ resource: wellKnown.configMaps, namespace: COPY, name: 'settings' });

  beforeAll(async () => {
    solo = await startHealthy();
    // Deleting the Replication alone would remove the standby.
    const ref = { resource: replications, namespace: SYSTEM, name: SHOP };
    await solo.client.patch(ref, { spec: { deletionPolicy: 'Prune' } }, 'merge');
    const labels = { 'app.kubernetes.io/part-of': 'dr-syncer' };
    await solo.client.patch(
      { resource: wellKnown.namespaces, name: SYSTEM },
      { metadata: { labels } },
      'merge',
    );
    await eventually(
      'the finalizer',
      async () => (await solo.client.get(ref)).metadata.finalizers?.[0],
      60_000,
    );
  }, 300_000);
  afterAll(async () => {
    await solo.stop();
  }, 60_000);

  const uninstall = (...args: string[]) =>
    cli(['uninstall', '-o', 'json', ...args], { env: { KUBECONFIG: solo.api.kubeconfigPath } });

  test('When versions are asked for Then each agent says its own, and what cannot be asked is named', async () => {
    const env = { KUBECONFIG: solo.api.kubeconfigPath };
    const { code, out } = await cli(['version', '-o', 'json'], { env });
    const { versions } = JSON.parse(out) as {
      versions: { component: string; version?: string; problem?: string }[];
    };

    expect(code).toBe(0);
    const client = versions[0]?.version;
    expect(versions).toEqual([
      { component: 'client', version: client },
      expect.objectContaining({ component: 'controller', problem: expect.any(String) as unknown }),
      { component: 'agent, source, node n1', version: client },
      { component: `agent, remote ${SYSTEM}/${REMOTE}, node n1`, version: client },
    ]);
    expect(await cli(['version', '--client'])).toMatchObject({ code: 0, err: '' });
  }, 60_000);

  test('When it is removed and nobody can be asked Then nothing happens', async () => {
    const { code, err } = await uninstall();

    expect(code).toBe(1);
    expect(err).toContain('--yes');
    expect((await solo.client.list(replications)).items).toHaveLength(1);
  }, 60_000);

  test('When it is only tried Then it says what would go and what stays', async () => {
    const result = await uninstall('--dry-run');

    expect(result.code).toBe(0);
    expect(result.err).toContain(
      `These standbys stay as they are, with their data:\n  ${SYSTEM}/${SHOP} (namespace ${COPY} in ${REMOTE})`,
    );
    expect(changesOf(result)).toContainEqual(
      expect.objectContaining({ change: 'deleted', kind: 'RemoteCluster' }),
    );
    expect((await solo.client.list(replications)).items).toHaveLength(1);
  }, 60_000);

  test('When it is removed Then all of it goes in order, and the standby stays', async () => {
    const result = await uninstall('--yes');

    expect({ code: result.code, out: result.out, err: result.err }).toMatchObject({ code: 0 });
    expect(await standby()).toBeDefined();
    const crds = await solo.client.list(wellKnown.customResourceDefinitions);
    expect(crds.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)).toEqual([]);
    const roles = (await solo.client.list(clusterRoles)).items.map(({ metadata }) => metadata.name);
    expect(roles).not.toContain('dr-syncer-controller');
    const { metadata } = await solo.client.get({ resource: wellKnown.namespaces, name: SYSTEM });
    expect(metadata.deletionTimestamp).toBeDefined();
  }, 120_000);
});
