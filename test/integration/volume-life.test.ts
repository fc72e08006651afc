import { randomBytes } from 'node:crypto';
import { appendFile, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { annotation, type Replication, type VolumeStatus } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { run } from '../cluster/process/run.js';
import { differencesOf } from '../faults/tree.js';
import { eventually } from '../support/eventually.js';
import {
  givenRemoteCluster,
  givenStorageClass,
  givenVolumePair,
  podOfClaim,
  SYSTEM,
} from './support/solo/given.js';
import { type Solo, startSolo } from './support/solo/solo.js';
import { volumeDir } from './support/solo/volumes.js';

const REMOTE = 'life';
const MIB = 1 << 20;

/** Node's own takes seconds as a double. */
async function utimesNs(path: string, time: bigint): Promise<void> {
  const text = `@${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
  await run('touch', ['--no-create', `--date=${text}`, path]);
}

type Status = NonNullable<Replication['status']>;
type Run = Status & { readonly volume: VolumeStatus };

describe('Given a volume and its copy', () => {
  let solo: Solo;
  let name: string;
  let count = 0;
  let from: string;
  let to: string;

  const namespaces = () => ({ source: name, copy: `${name}-copy` });
  const claimOf = async (namespace: string) => {
    const ref = { resource: wellKnown.persistentVolumeClaims, namespace, name: 'data' };
    return solo.client.get(ref);
  };
  const replication = () => ({ resource: replications, namespace: SYSTEM, name });
  const statusOf = async (): Promise<Status> =>
    (await solo.client.get<KubeObject & { status?: Status }>(replication())).status ?? {};
  const patch = (body: unknown) => solo.client.patch(replication(), body, 'merge');
  const request = async (id: string) => {
    await patch({ metadata: { annotations: { [annotation.syncNow]: id } } });
  };
  const answer = (id: string): Promise<Run> =>
    eventually(
      `request ${id}`,
      async () => {
        const status = await statusOf();
        const [volume] = status.volumes ?? [];
        const done = status.lastSyncRequest === id && status.phase !== 'Running';
        return done && volume !== undefined ? { ...status, volume } : undefined;
      },
      90_000,
    );
  const sync = async (id: string): Promise<Run> => {
    await request(id);
    return answer(id);
  };
  /** Until so much has been moved. */
  const moving = (percent = 5) =>
    eventually(
      'the transfer to move',
      async () => {
        const [volume] = (await statusOf()).volumes ?? [];
        return volume?.phase === 'Transferring' && (volume.percent ?? 0) >= percent ? volume : undefined;
      },
      60_000,
      20,
    );
  const placeholders = async (namespace: string) =>
    (await solo.client.list(wellKnown.pods, { namespace, labelSelector: 'dr-syncer.io/placeholder-for' }))
      .items;
  beforeAll(async () => {
    solo = await startSolo({ controller: { PLACEHOLDER_TTL_SECONDS: '2' } });
    await givenStorageClass(solo);
    await givenRemoteCluster(solo, REMOTE);
  }, 240_000);

  afterAll(async () => {
    await solo.stop();
  }, 60_000);

  beforeEach(async () => {
    count += 1;
    name = `life-${count}`;
    const { source, copy } = namespaces();
    await givenVolumePair(solo, name, REMOTE, [source, copy], { pvcConfig: { stallTimeoutSeconds: 20 } });
    const first = await sync('first');
    expect([first.phase, first.volume]).toEqual([
      'Completed',
      expect.objectContaining({ phase: 'Succeeded' }),
    ]);
    from = volumeDir(solo.node, await claimOf(source));
    to = volumeDir(solo.node, await claimOf(copy));
  }, 240_000);

  /** A transfer of about five seconds. */
  const slow = async () => {
    await writeFile(join(from, 'big'), randomBytes(20 * MIB));
    await writeFile(join(from, 'small'), 'small');
    await patch({ spec: { pvcConfig: { bandwidthLimit: 4_000 } } });
  };

  test('When nothing has changed Then nothing is moved, and the pods that hold it are those of before until they are old', async () => {
    await writeFile(join(from, 'file'), 'one');
    await sync('two');
    const held = await placeholders(namespaces().copy);
    const { volume } = await sync('three');

    expect(volume).toMatchObject({ literalBytes: 0, filesTransferred: 0, filesDeleted: 0 });
    expect(await differencesOf(from, to)).toEqual([]);
    expect(held).toHaveLength(1);
    await eventually(
      'old placeholders to go',
      async () =>
        [...(await placeholders(namespaces().copy)), ...(await placeholders(namespaces().source))].length ===
        0
          ? true
          : undefined,
      60_000,
    );
    expect((await sync('four')).phase).toBe('Completed');
  }, 240_000);

  test('When little has changed Then only that is looked at, and nothing where nothing has; a copy that was touched is compared as a whole', async () => {
    for (let index = 0; index < 20; index += 1) await writeFile(join(from, `file-${index}`), `${index}`);
    const all = await sync('two');
    expect(all.volume).toMatchObject({
      scope: 'All',
      verification: { mode: 'counts', result: 'Passed', checked: 21 },
    });
    // What is younger than two seconds counts as changed once more.
    await sleep(3_100);
    await sync('three');

    expect((await sync('four')).volume).toMatchObject({
      ...{ scope: 'None', filesTransferred: 0, filesTotal: 21, percent: 100 },
      verification: { result: 'Passed', checked: 21 },
    });
    await writeFile(join(from, 'file-7'), 'new');
    await rm(join(from, 'file-8'));
    const changed = await sync('five');
    expect(changed.volume).toMatchObject({ scope: 'Changed', filesTransferred: 1, filesDeleted: 1 });
    expect(changed.volume.verification).toMatchObject({ result: 'Passed', checked: 20 });
    expect(await differencesOf(from, to)).toEqual([]);

    await writeFile(join(to, 'file-9'), 'x');
    const touched = await sync('six');
    expect(touched.volume).toMatchObject({ scope: 'All', scopeReason: expect.stringContaining('the copy') });
    expect(await differencesOf(from, to)).toEqual([]);
    await patch({ spec: { pvcConfig: { fullScanSeconds: 0 } } });
    expect((await sync('seven')).volume).toMatchObject({ scope: 'All' });
  }, 240_000);

  test('When a copy is compared by content Then what differs is found, named, and put right by the next sync', async () => {
    for (const file of ['a', 'b', 'c']) await writeFile(join(from, file), file);
    await sync('two');
    // Same size, same times: neither end has reason to look at it.
    const { atime, mtime } = await stat(join(to, 'b'));
    await writeFile(join(to, 'b'), 'x');
    await utimes(join(to, 'b'), atime, mtime);
    const source = await stat(join(from, 'b'), { bigint: true });
    await utimesNs(join(to, 'b'), source.mtimeNs);
    await patch({ metadata: { annotations: { [annotation.verify]: 'full=three' } } });

    const failed = await sync('three');

    expect(failed.volume).toMatchObject({
      ...{ phase: 'Failed', reason: 'VerificationFailed' },
      message: expect.stringContaining('1 entries that differ: b'),
      verification: { mode: 'full', result: 'Failed', differences: ['b'] },
    });
    await patch({ metadata: { annotations: { [annotation.verify]: 'full=four' } } });
    expect((await sync('four')).volume).toMatchObject({
      ...{ phase: 'Succeeded', filesTransferred: 1 },
      verification: { mode: 'full', result: 'Passed', checked: 4 },
    });
    expect(await readFile(join(to, 'b'), 'utf8')).toBe('b');
    await patch({ spec: { pvcConfig: { verification: 'sample' } } });
    expect((await sync('five')).volume.verification).toMatchObject({ mode: 'sample', result: 'Passed' });
  }, 240_000);

  test('When most of the source is gone Then the copy stays, until that run is confirmed', async () => {
    for (const file of ['a', 'b', 'c', 'd']) await writeFile(join(from, file), file);
    await sync('two');
    for (const file of ['a', 'b', 'c']) await rm(join(from, file));

    const stopped = await sync('three');

    expect(stopped.volume).toMatchObject({ phase: 'Failed', reason: 'DeletionGuard' });
    expect(stopped.conditions).toContainEqual(
      expect.objectContaining({ type: 'DeletionGuard', status: 'True' }),
    );
    expect(await readFile(join(to, 'a'), 'utf8')).toBe('a');
    await patch({ metadata: { annotations: { [annotation.confirmDeletions]: 'three' } } });
    expect((await sync('four')).phase).toBe('Completed');
    expect(await differencesOf(from, to)).toEqual([]);
    await rm(join(from, 'd'));
    expect((await sync('five')).volume).toMatchObject({ phase: 'Failed', reason: 'SourceEmpty' });
    expect(await readFile(join(to, 'd'), 'utf8')).toBe('d');
  }, 240_000);

  test('When another file system is at the place of the source Then the copy stays', async () => {
    await writeFile(join(from, 'file'), 'one');
    await sync('two');
    const claim = await claimOf(namespaces().copy);
    const record = JSON.parse(claim.metadata.annotations?.[annotation.volumeCopy] ?? '{}') as object;
    const text = JSON.stringify({ ...record, root: '2:1' });
    await solo.client.patch(
      {
        resource: wellKnown.persistentVolumeClaims,
        namespace: namespaces().copy,
        name: 'data',
      },
      { metadata: { annotations: { [annotation.volumeCopy]: text } } },
      'merge',
    );
    expect((await sync('three')).volume).toMatchObject({ phase: 'Failed', reason: 'SourceVolumeChanged' });
  }, 240_000);

  test('When the controller is ended in the middle Then the next one goes on with the same transfer', async () => {
    await slow();
    await request('two');
    const before = await moving(20);
    await solo.restart();
    const { phase, volume } = await answer('two');

    expect(phase).toBe('Completed');
    expect(volume.startedAt).toBe(before.startedAt);
    expect(await differencesOf(from, to)).toEqual([]);
  }, 240_000);

  test.each(['mover', 'ssh'] as const)(
    'When the %s is killed in the middle Then it goes on when it is back',
    async (role) => {
      await slow();
      await request('two');
      await moving(20);
      process.kill(solo.agent[role].pid, 'SIGKILL');
      await sleep(1_000);
      await solo.restartAgent(role);
      const { phase, volume } = await answer('two');

      expect([phase, volume.reason]).toEqual(['Completed', undefined]);
      expect(await differencesOf(from, to)).toEqual([]);
    },
    240_000,
  );

  test('When the pod that holds the source is deleted Then the transfer lets go of it, and goes on where the next one is', async () => {
    await slow();
    await request('two');
    await moving(5);
    const [held] = await placeholders(namespaces().source);
    const at = { resource: wellKnown.pods, namespace: namespaces().source, name: held?.metadata.name ?? '' };
    await solo.client.delete(at);
    const { phase } = await answer('two');

    expect(phase).toBe('Completed');
    const [next] = await placeholders(namespaces().source);
    expect(next?.metadata.uid).not.toBe(held?.metadata.uid);
    expect(await differencesOf(from, to)).toEqual([]);
  }, 240_000);

  test('When the workload begins at the destination Then the transfer ends, and none begins while it is there', async () => {
    await slow();
    await request('two');
    await moving(5);
    const { copy } = namespaces();
    await solo.client.create(wellKnown.pods, podOfClaim('app', copy));
    expect((await answer('two')).volume).toMatchObject({ phase: 'Failed', reason: 'DestinationInUse' });
    expect((await sync('three')).volume).toMatchObject({ phase: 'Failed', reason: 'DestinationInUse' });

    await solo.client.delete({ resource: wellKnown.pods, namespace: copy, name: 'app' });
    await eventually('the pod to go', async () =>
      (await solo.client.find({ resource: wellKnown.pods, namespace: copy, name: 'app' })) === undefined
        ? true
        : undefined,
    );
    expect((await sync('four')).phase).toBe('Completed');
    expect(await differencesOf(from, to)).toEqual([]);
  }, 240_000);

  test('When the source is written to all the time Then a later sync of it at rest is equal', async () => {
    await slow();
    await request('two');
    await moving(5);
    for (let index = 0; index < 20; index += 1) {
      await appendFile(join(from, 'small'), `${index}\n`);
      await writeFile(join(from, `other-${index}`), randomBytes(1_000));
      await sleep(100);
    }
    await answer('two');
    expect((await sync('three')).phase).toBe('Completed');
    expect(await differencesOf(from, to)).toEqual([]);
  }, 240_000);
});
