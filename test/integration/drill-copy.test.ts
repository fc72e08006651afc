import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { annotation, label, type ReplicationStatus } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { differencesOf } from '../faults/tree.js';
import { eventually } from '../support/eventually.js';
import {
  givenClaim,
  givenNamespace,
  givenRemoteCluster,
  givenStorageClass,
  givenVolumePair,
  syncOnce,
  SYSTEM,
} from './support/solo/given.js';
import { type Solo, startSolo } from './support/solo/solo.js';
import { volumeDir } from './support/solo/volumes.js';

const REMOTE = 'drilled';

type Drill = NonNullable<ReplicationStatus['drill']>;

/** Sender and receiver are one agent here, which is what a small remote looks like. */
describe('Given a standby, and a namespace that was made for a drill of it', () => {
  let solo: Solo;
  let name: string;
  let count = 0;
  let standby: string;

  const copy = () => `${name}-copy`;
  const claimRef = (namespace: string) => ({
    ...{ resource: wellKnown.persistentVolumeClaims, namespace, name: 'data' },
  });
  const replication = () => ({ resource: replications, namespace: SYSTEM, name });
  const read = () => solo.client.get<KubeObject & { status?: ReplicationStatus }>(replication());
  const annotate = (key: string, value: string) =>
    solo.client.patch(replication(), { metadata: { annotations: { [key]: value } } }, 'merge');
  const sync = (id: string) => syncOnce(solo, name, id);
  const room = async (suffix: string): Promise<string> => {
    const drill = `${copy()}-drill-${suffix}`;
    await givenNamespace(solo, drill, { [label.drillOf]: copy() });
    await givenClaim(solo, drill);
    return drill;
  };
  const answer = (id: string): Promise<Drill> =>
    eventually(
      `drill ${id}`,
      async () => {
        const { status, metadata } = await read();
        const isTaken = metadata.annotations?.[annotation.drill] === undefined;
        const drill = status?.drill;
        return drill?.request === id && drill.phase !== 'Running' && isTaken ? drill : undefined;
      },
      120_000,
    );
  const ask = async (id: string): Promise<Drill> => {
    await annotate(annotation.drill, id);
    return answer(id);
  };
  const dirOf = async (of: string) => volumeDir(solo.node, await solo.client.get(claimRef(of)));

  beforeAll(async () => {
    solo = await startSolo();
    await givenStorageClass(solo);
    await givenRemoteCluster(solo, REMOTE);
  }, 240_000);

  afterAll(() => solo.stop(), 60_000);

  beforeEach(async () => {
    count += 1;
    name = `drilled-${count}`;
    await givenVolumePair(solo, name, REMOTE, [name, copy()]);
    expect((await sync('first')).phase).toBe('Completed');
    const home = await dirOf(name);
    for (const file of ['a', 'b', 'c']) await writeFile(join(home, file), file.repeat(1000));
    expect((await sync('second')).phase).toBe('Completed');
    standby = await dirOf(copy());
  }, 240_000);

  test('When its volumes are asked for Then they are copied, and the standby is as it was and syncs on', async () => {
    const before = await solo.client.get(claimRef(copy()));
    const drill = await room('a1b2c3');

    const result = await ask(drill);

    expect(result).toMatchObject({ phase: 'Completed', reason: 'Copied' });
    expect(result.volumes).toEqual([
      expect.objectContaining({ name: 'data', phase: 'Succeeded', filesTransferred: 3 }),
    ]);
    const copied = await dirOf(drill);
    expect(copied).not.toBe(standby);
    expect(await differencesOf(standby, copied)).toEqual([]);
    expect(await solo.client.get(claimRef(copy()))).toEqual(before);
    // What the copy writes is its own, and what the source writes comes to the standby alone.
    await writeFile(join(copied, 'of-the-copy'), 'x');
    await writeFile(join(await dirOf(name), 'of-the-source'), 'x');
    const next = await sync('third');
    expect(next).toMatchObject({ phase: 'Completed', volumes: [{ filesTransferred: 1, filesDeleted: 0 }] });
    expect((await readdir(standby)).sort()).toEqual(['a', 'b', 'c', 'of-the-source']);
    expect((await readdir(copied)).sort()).toEqual(['a', 'b', 'c', 'of-the-copy']);
  }, 180_000);

  test.each([
    ['names another namespace', () => Promise.resolve('kube-system')],
    ['names one that is not there', () => Promise.resolve(`${copy()}-drill-none1`)],
    [
      'names one that was not made for it',
      async () => {
        const other = `${copy()}-drill-other1`;
        await givenNamespace(solo, other);
        await givenClaim(solo, other);
        return other;
      },
    ],
  ])(
    'When the request %s Then nothing is copied',
    async (_title, make) => {
      expect(await ask(await make())).toMatchObject({
        phase: 'Failed',
        reason: 'DrillNotFound',
        volumes: [],
      });
    },
    120_000,
  );

  test('When the standby is active Then nothing is copied', async () => {
    const active = { metadata: { annotations: { [annotation.active]: 'true' } } };
    await solo.client.patch({ resource: wellKnown.namespaces, name: copy() }, active, 'merge');
    const drill = await room('active1');

    expect(await ask(drill)).toMatchObject({ phase: 'Failed', reason: 'StandbyActive' });
    expect(await solo.client.find({ ...claimRef(drill) })).toMatchObject({ metadata: { name: 'data' } });
  }, 120_000);

  test('When a Replication names the namespace of a drill as its destination Then it is not taken over', async () => {
    const drill = await room('taken1');
    const spec = { destinationNamespace: drill };
    await solo.client.patch(replication(), { spec }, 'merge');

    const { phase, conditions } = await sync('into-the-drill');

    expect(phase).toBe('Failed');
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Ready', reason: 'DestinationOwned' }));
    const { metadata } = await solo.client.get({ resource: wellKnown.namespaces, name: drill });
    expect(metadata.annotations).not.toHaveProperty([annotation.standby]);
  }, 120_000);
});
