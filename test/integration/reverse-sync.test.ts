import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { annotation, type ReplicationStatus } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { differencesOf } from '../faults/tree.js';
import { eventually } from '../support/eventually.js';
import {
  givenRemoteCluster,
  givenStorageClass,
  givenVolumePair,
  podOfClaim,
  syncOnce,
  SYSTEM,
} from './support/solo/given.js';
import { type Solo, startSolo } from './support/solo/solo.js';
import { volumeDir } from './support/solo/volumes.js';

const REMOTE = 'back';
const MIB = 1 << 20;

type Reverse = NonNullable<ReplicationStatus['reverseSync']>;

describe('Given a standby that was made active, and its source at rest', () => {
  let solo: Solo;
  let name: string;
  let count = 0;
  let home: string;
  let away: string;

  const copy = () => `${name}-copy`;
  const claim = (namespace: string) => ({
    ...{ resource: wellKnown.persistentVolumeClaims, namespace, name: 'data' },
  });
  const replication = () => ({ resource: replications, namespace: SYSTEM, name });
  const read = () => solo.client.get<KubeObject & { status?: ReplicationStatus }>(replication());
  const annotate = (key: string, value: string | null) =>
    solo.client.patch(replication(), { metadata: { annotations: { [key]: value } } }, 'merge');
  const activate = (value: string | null) =>
    solo.client.patch(
      { resource: wellKnown.namespaces, name: copy() },
      { metadata: { annotations: { [annotation.active]: value } } },
      'merge',
    );
  const sync = (id: string) => syncOnce(solo, name, id);
  const answer = (id: string): Promise<Reverse> =>
    eventually(
      `reverse sync ${id}`,
      async () => {
        const { status, metadata } = await read();
        const reverse = status?.reverseSync;
        const isTaken = metadata.annotations?.[annotation.reverseSync] === undefined;
        return reverse?.request === id && reverse.phase !== 'Running' && isTaken ? reverse : undefined;
      },
      120_000,
      50,
    );
  const takeBack = async (id: string): Promise<Reverse> => {
    await annotate(annotation.reverseSync, id);
    return answer(id);
  };
  const moving = () =>
    eventually(
      'data to move',
      async () => {
        const [volume] = (await read()).status?.reverseSync?.volumes ?? [];
        return volume?.phase === 'Transferring' && (volume.percent ?? 0) >= 5 ? volume : undefined;
      },
      60_000,
      20,
    );
  const slowly = async () => {
    await writeFile(join(away, 'big'), randomBytes(40 * MIB));
    await solo.client.patch(replication(), { spec: { pvcConfig: { bandwidthLimit: 2_000 } } }, 'merge');
  };
  const app = () => solo.client.create(wellKnown.pods, podOfClaim('app', name));

  beforeAll(async () => {
    solo = await startSolo();
    await givenStorageClass(solo);
    await givenRemoteCluster(solo, REMOTE);
  }, 240_000);

  afterAll(async () => {
    await solo.stop();
  }, 60_000);

  beforeEach(async () => {
    count += 1;
    name = `back-${count}`;
    await givenVolumePair(solo, name, REMOTE, [name, copy()], { pvcConfig: { stallTimeoutSeconds: 20 } });
    expect((await sync('first')).phase).toBe('Completed');
    home = volumeDir(solo.node, await solo.client.get(claim(name)));
    away = volumeDir(solo.node, await solo.client.get(claim(copy())));
    for (const file of ['a', 'b', 'c', 'd']) await writeFile(join(home, file), file.repeat(1000));
    expect((await sync('second')).phase).toBe('Completed');
    await activate('true');
  }, 240_000);

  test('When data is taken back Then only what differs moves, and both ends are equal', async () => {
    await writeFile(join(away, 'a'), 'new');
    await writeFile(join(away, 'e'), 'e');
    await rm(join(away, 'b'));

    const first = await takeBack('one');

    expect(first).toMatchObject({ phase: 'Completed', reason: 'TakenBack' });
    expect(first.volumes).toEqual([
      expect.objectContaining({ name: 'data', phase: 'Succeeded', filesTransferred: 2, filesDeleted: 1 }),
    ]);
    expect(await differencesOf(away, home)).toEqual([]);
    expect((await takeBack('two')).volumes[0]).toMatchObject({ literalBytes: 0, filesTransferred: 0 });
    expect((await solo.client.get(claim(name))).metadata.annotations ?? {}).not.toHaveProperty([
      annotation.volumeCopy,
    ]);

    await activate(null);
    const forward = await sync('third');
    expect([forward.phase, forward.volumes?.[0]]).toEqual([
      'Completed',
      expect.objectContaining({ literalBytes: 0, filesTransferred: 0 }),
    ]);
  }, 240_000);

  test('When the standby is not active Then nothing is taken back', async () => {
    await activate(null);
    await writeFile(join(away, 'a'), 'new');

    expect(await takeBack('one')).toMatchObject({ phase: 'Failed', reason: 'StandbyNotActive' });
    expect(await readFile(join(home, 'a'), 'utf8')).toBe('a'.repeat(1000));
  }, 240_000);

  test('When the standby is that of another source Then nothing is taken back', async () => {
    const record = JSON.stringify({
      cluster: 'x',
      namespace: name,
      replications: { [`${SYSTEM}/${name}`]: ['u'] },
    });
    await solo.client.patch(
      { resource: wellKnown.namespaces, name: copy() },
      { metadata: { annotations: { [annotation.standby]: record } } },
      'merge',
    );
    await writeFile(join(away, 'a'), 'new');

    expect(await takeBack('one')).toMatchObject({ phase: 'Failed', reason: 'DestinationOwned' });
    expect(await readFile(join(home, 'a'), 'utf8')).toBe('a'.repeat(1000));
  }, 240_000);

  test('When a pod uses the volume at the source Then nothing is written to it', async () => {
    await writeFile(join(away, 'a'), 'new');
    await app();

    expect(await takeBack('one')).toMatchObject({ phase: 'Failed', reason: 'SourceRunning' });
    expect(await readFile(join(home, 'a'), 'utf8')).toBe('a'.repeat(1000));
  }, 240_000);

  test('When the application begins at the source in the middle Then it ends', async () => {
    await slowly();
    await annotate(annotation.reverseSync, 'one');
    await moving();
    await app();

    expect((await answer('one')).volumes[0]).toMatchObject({ phase: 'Failed', reason: 'SourceRunning' });
    expect((await readdir(home)).includes('big')).toBe(false);
  }, 240_000);

  test('When the standby is made one again in the middle Then it ends', async () => {
    await slowly();
    await annotate(annotation.reverseSync, 'one');
    await moving();
    await activate(null);

    expect(await answer('one')).toMatchObject({ phase: 'Failed', reason: 'StandbyNotActive' });
    expect((await readdir(home)).includes('big')).toBe(false);
  }, 240_000);

  test('When the standby has lost its data Then the source keeps it, until that run is confirmed', async () => {
    for (const file of ['a', 'b', 'c']) await rm(join(away, file));

    const stopped = await takeBack('one');

    expect(stopped.volumes[0]).toMatchObject({ phase: 'Failed', reason: 'DeletionGuard' });
    expect((await readdir(home)).sort()).toEqual(['a', 'b', 'c', 'd']);
    await annotate(annotation.confirmDeletions, 'one');
    expect((await takeBack('two')).phase).toBe('Completed');
    expect(await differencesOf(away, home)).toEqual([]);
  }, 240_000);

  test('When the controller is ended in the middle Then the next one goes on with the same transfer', async () => {
    await slowly();
    await annotate(annotation.reverseSync, 'one');
    const before = await moving();
    await solo.restart();
    const { phase, volumes } = await answer('one');

    expect([phase, volumes[0]?.startedAt]).toEqual(['Completed', before.startedAt]);
    expect(await differencesOf(away, home)).toEqual([]);
  }, 240_000);
});
