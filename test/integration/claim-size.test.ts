import { type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { NamespacePairs } from './support/namespace-pairs.js';
import { startTwoApiServers, type TwoApiServers } from './support/two-api-servers.js';

const claims = wellKnown.persistentVolumeClaims;
const classes: Resource = {
  ...{ group: 'storage.k8s.io', version: 'v1', plural: 'storageclasses', kind: 'StorageClass' },
  namespaced: false,
};

describe('Given a claim and its copy', () => {
  let world: TwoApiServers;
  let from = '';
  let to = '';
  let pairs: NamespacePairs;

  beforeAll(async () => {
    world = await startTwoApiServers();
    pairs = new NamespacePairs(world, 'claim');
    for (const user of [world.sourceUser, world.remoteUser]) {
      for (const name of ['grows', 'fixed']) {
        await user.client.create(classes, {
          ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name } },
          ...{ provisioner: 'none', allowVolumeExpansion: user === world.sourceUser || name === 'grows' },
        });
      }
    }
  }, 120_000);
  afterAll(() => world.close());
  afterEach(() => pairs.closeEngines());

  const storage = (size: string) => ({ spec: { resources: { requests: { storage: size } } } });
  /** As a provisioner leaves it. */
  const bind = async (user: TwoApiServers['remoteUser'], namespace: string, size: string) => {
    const ref = { resource: claims, namespace, name: 'data' };
    await user.client.patch(ref, { spec: { volumeName: 'pv' } }, 'merge').catch(() => undefined);
    const status = { phase: 'Bound', capacity: { storage: size } };
    await user.client.patch(ref, { status }, 'merge', { subresource: 'status' });
  };
  const resize = (user: TwoApiServers['remoteUser'], namespace: string, size: string) =>
    user.client.patch({ resource: claims, namespace, name: 'data' }, storage(size), 'merge');
  const sizeOf = async (): Promise<unknown> => {
    const ref = { resource: claims, namespace: to, name: 'data' };
    const { spec } = await world.remoteUser.client.get<KubeObject & ReturnType<typeof storage>>(ref);
    return spec.resources.requests.storage;
  };
  const sync = () => pairs.sync();
  const given = async (storageClassName: string): Promise<void> => {
    ({ from, to } = await pairs.make([], { remoteToo: true }));
    await world.sourceUser.client.create(claims, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: from } },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName, ...storage('1Gi').spec },
    });
    await sync();
    await bind(world.sourceUser, from, '1Gi');
    await bind(world.remoteUser, to, '1Gi');
  };

  test('When the source grows Then so does the copy', async () => {
    await given('grows');
    await resize(world.sourceUser, from, '3Gi');

    expect((await sync()).tally.failures).toBe(0);
    expect(await sizeOf()).toBe('3Gi');
  });

  test('When the class of the copy lets nothing grow Then that is said, and the copy stays as it is', async () => {
    await given('fixed');
    await resize(world.sourceUser, from, '3Gi');
    const { tally } = await sync();

    expect(tally.firstFailure).toMatchObject({
      code: 'ClaimCannotGrow',
      text: expect.stringContaining('must support resize'),
    });
    expect(await sizeOf()).toBe('1Gi');
  });

  test('When the copy was made larger by hand Then it stays that, and everything else follows the source', async () => {
    await given('grows');
    await resize(world.remoteUser, to, '5Gi');
    await bind(world.remoteUser, to, '5Gi');
    const ref = { resource: claims, namespace: from, name: 'data' };
    await world.sourceUser.client.patch(ref, { metadata: { labels: { tier: 'gold' } } }, 'merge');

    for (let round = 0; round < 2; round += 1) expect((await sync()).tally.failures).toBe(0);
    expect(await sizeOf()).toBe('5Gi');
    const copy = await world.remoteUser.client.get({ ...ref, namespace: to });
    expect(copy.metadata.labels).toMatchObject({ tier: 'gold' });
  });
});
