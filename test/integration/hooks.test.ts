import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { annotation, HOOKS_FINALIZER, type Replication, type VolumeStatus } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { eventually } from '../support/eventually.js';
import {
  givenClaim,
  givenRemoteCluster,
  givenStorageClass,
  givenVolumePair,
  object,
  requestSync,
  syncAnswer,
  syncOnce,
  SYSTEM,
} from './support/solo/given.js';
import { type Solo, startSolo } from './support/solo/solo.js';
import { volumeDir } from './support/solo/volumes.js';

const REMOTE = 'hooks';
const RBAC = 'rbac.authorization.k8s.io';
const MIB = 1 << 20;

type Status = NonNullable<Replication['status']>;

const typeOf = (group: string, kind: string, plural: string, namespaced: boolean): Resource => ({
  ...{ group, version: 'v1', plural, kind, namespaced },
});
describe('Given a workload that is to be at rest while its volume is copied', () => {
  let solo: Solo;
  let dir: string;
  let name: string;
  let count = 0;
  let from: string;

  const copy = () => `${name}-copy`;
  const ref = () => ({ resource: replications, namespace: SYSTEM, name });
  const statusOf = async (): Promise<Status> =>
    (await solo.client.get<KubeObject & { status?: Status }>(ref())).status ?? {};
  const patch = (body: unknown) => solo.client.patch(ref(), body, 'merge');
  const request = (id: string) => requestSync(solo, name, id);
  const answer = (id: string) => syncAnswer(solo, name, id);
  const sync = (id: string) => syncOnce(solo, name, id);
  const volume = ({ volumes = [] }: Status, claim = 'data'): VolumeStatus | undefined =>
    volumes.find((one) => one.name === claim);
  const log = () => join(dir, name);
  const logged = async (): Promise<string[]> =>
    (await readFile(log(), 'utf8').catch(() => '')).split('\n').filter(Boolean);
  /** `rest` is there exactly while the workload is at rest. */
  const say = (word: string, more = 'true') => ['/bin/sh', '-c', `echo ${word} >> ${log()}; ${more}`];
  const freeze = () => say('pre', `touch ${join(from, 'rest')}`);
  const thaw = () => say('post', `rm -f ${join(from, 'rest')}`);
  const hooks = (pre: object, post: object, more: object = {}) =>
    patch({ spec: { pvcConfig: { hooks: { pre: [pre], post: [post], ...more } } } });
  const plain = () => hooks({ command: freeze() }, { command: thaw() });
  const dirOf = async (namespace: string, claim = 'data'): Promise<string> => {
    const at = { resource: wellKnown.persistentVolumeClaims, namespace, name: claim };
    return volumeDir(solo.node, await solo.client.get(at));
  };
  const pod = async (annotations: Record<string, string> = {}) => {
    await solo.client.create(wellKnown.pods, {
      ...object('Pod', { name: 'app', namespace: name, annotations, labels: { app: 'db' } }),
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: 'side', image: 'x' },
          { name: 'db', image: 'x', volumeMounts: [{ name: 'v', mountPath: '/data' }] },
        ],
        volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
      },
    });
    await podIs(true);
  };
  const podIs = (there: boolean) =>
    eventually('the pod', async () => {
      const at = { resource: wellKnown.pods, namespace: name, name: 'app' };
      const seen = await solo.client.find<KubeObject & { status?: { phase?: string } }>(at);
      return (seen?.status?.phase === 'Running') === there && (there || seen === undefined)
        ? true
        : undefined;
    });
  const removePod = async () => {
    await solo.client.delete({ resource: wellKnown.pods, namespace: name, name: 'app' });
    await podIs(false);
  };
  const allowed = () =>
    solo.client.create(typeOf(RBAC, 'RoleBinding', 'rolebindings', true), {
      ...object('RoleBinding', { name: 'dr-syncer-hooks', namespace: name }, `${RBAC}/v1`),
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'dr-syncer-hooks' },
      subjects: [{ kind: 'ServiceAccount', name: 'dr-syncer-controller', namespace: SYSTEM }],
    });
  /** A transfer of some seconds, and the workload at rest in the middle of it. */
  const inTheMiddle = async (id: string) => {
    await writeFile(join(from, 'big'), randomBytes(24 * MIB));
    await patch({ spec: { pvcConfig: { bandwidthLimit: 3_000, hooks: { firstPass: false } } } });
    await request(id);
    await eventually(
      'the copy at rest to move',
      async () => {
        const one = volume(await statusOf());
        const moves = one?.phase === 'Transferring' && (one.percent ?? 0) >= 10;
        return moves && (await logged()).includes('pre') ? true : undefined;
      },
      60_000,
      20,
    );
  };
  const undone = (times = 1) =>
    eventually(
      'the workload to be brought back',
      async () => ((await logged()).filter((word) => word === 'post').length >= times ? true : undefined),
      60_000,
    );
  const settled = () =>
    eventually(
      'nothing to be owed',
      async () => {
        const seen = await solo.client.get<KubeObject & { status?: Status }>(ref());
        const marked = seen.metadata.finalizers?.includes(HOOKS_FINALIZER) === true;
        return (seen.status?.hooks?.open ?? []).length === 0 && !marked ? true : undefined;
      },
      60_000,
    );
  const kill = async () => {
    const { pid } = solo.controller;
    process.kill(pid, 'SIGKILL');
    await eventually('the controller to end', () => {
      try {
        process.kill(pid, 0);
        return Promise.resolve(undefined);
      } catch {
        return Promise.resolve(true);
      }
    });
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dr-syncer-hooks-'));
    solo = await startSolo({ controller: { PLACEHOLDER_TTL_SECONDS: '600' } });
    await givenStorageClass(solo);
    await givenRemoteCluster(solo, REMOTE);
  }, 240_000);

  afterAll(async () => {
    await solo.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  beforeEach(async () => {
    count += 1;
    name = `hooks-${count}`;
    await givenVolumePair(solo, name, REMOTE, [name, copy()]);
    await allowed();
    expect((await sync('first')).phase).toBe('Completed');
    await pod();
    from = await dirOf(name);
  }, 240_000);

  test('When it is synced Then it rests only for the copy that counts, and goes on afterwards', async () => {
    await writeFile(join(from, 'file'), 'one');
    await plain();
    const status = await sync('two');

    expect(status).toMatchObject({ phase: 'Completed', hooks: { results: [{}, {}] } });
    expect(status.hooks?.results).toEqual([
      expect.objectContaining({ pod: 'app', container: 'db', when: 'Pre', result: 'Succeeded', exitCode: 0 }),
      expect.objectContaining({
        pod: 'app',
        container: 'db',
        when: 'Post',
        result: 'Succeeded',
        exitCode: 0,
      }),
    ]);
    expect(await logged()).toEqual(['pre', 'post']);
    expect(await readFile(join(await dirOf(copy()), 'rest'), 'utf8')).toBe('');
    await expect(readFile(join(from, 'rest'))).rejects.toThrow('ENOENT');
    // The file came with the first pass, what counts had the mark alone to copy.
    expect(volume(status)).toMatchObject({ phase: 'Succeeded', filesTransferred: 1 });
    await settled();
  }, 240_000);

  test('When the pod is annotated Then its own commands are run; an annotation that is wrong is named', async () => {
    await removePod();
    await pod({
      [annotation.preSyncCommand]: JSON.stringify(freeze()),
      [annotation.postSyncCommand]: JSON.stringify(thaw()),
      [annotation.syncHookContainer]: 'side',
      [annotation.syncHookTimeout]: '30s',
    });
    const status = await sync('two');
    expect(status.hooks?.results?.map(({ container, result }) => [container, result])).toEqual([
      ['side', 'Succeeded'],
      ['side', 'Succeeded'],
    ]);
    await removePod();
    await pod({ [annotation.preSyncCommand]: 'fsfreeze --freeze /data' });

    const refused = await sync('three');

    expect(volume(refused)).toMatchObject({ phase: 'Failed', reason: 'HookInvalid' });
    expect(volume(refused)?.message).toContain(`pod app, annotation ${annotation.preSyncCommand}: not JSON`);
    expect(await logged()).toEqual(['pre', 'post']);
  }, 240_000);

  test('When the controller may not exec there Then the volume is not copied, and the remedy said', async () => {
    await solo.client.delete({
      ...{ resource: typeOf(RBAC, 'RoleBinding', 'rolebindings', true), namespace: name },
      name: 'dr-syncer-hooks',
    });
    await plain();
    const status = await sync('two');

    expect(volume(status)).toMatchObject({ phase: 'Failed', reason: 'HookNotPermitted' });
    expect(status.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'False', reason: 'HookNotPermitted' }),
    );
    expect(volume(status)?.message).toContain('--clusterrole dr-syncer-hooks');
    expect(await logged()).toEqual([]);
    await settled();
  }, 240_000);

  test.each([
    ['fails', { command: ['/bin/false'] }, { result: 'Failed', exitCode: 1 }],
    [
      'is no program',
      { command: ['/no/such'] },
      { result: 'Failed', message: expect.stringContaining('/no/such') },
    ],
    ['does not end', { command: ['/bin/sleep', '60'], timeoutSeconds: 1 }, { result: 'TimedOut' }],
  ])(
    'When the pre hook %s Then its volumes are not copied, others are, and it is undone',
    async (_what, pre, result) => {
      await givenClaim(solo, name, 'other');
      await hooks(pre, { command: thaw() });
      for (const file of ['rest', 'kept']) await writeFile(join(from, file), 'x');
      const status = await sync('two');

      expect(volume(status)).toMatchObject({ phase: 'Failed', reason: 'HookFailed' });
      expect(volume(status, 'other')).toMatchObject({ phase: 'Succeeded' });
      expect(status.hooks?.results?.[0]).toMatchObject({ when: 'Pre', ...result });
      expect(await logged()).toEqual(['post']);
      await settled();
      await hooks({ ...pre, onError: 'Continue' }, { command: thaw() });
      const third = await sync('three');
      expect([third.phase, volume(third)?.message]).toEqual(['Completed', undefined]);
    },
    240_000,
  );

  test('When the post hook fails Then so does the sync, and it is run until it succeeds', async () => {
    const mark = `${log()}.mended`;
    await hooks(
      { command: freeze() },
      { command: ['/bin/sh', '-c', `test -e ${mark} && echo post >> ${log()}`] },
    );
    const status = await sync('two');

    expect(status).toMatchObject({ phase: 'Failed', hooks: { open: [{ pod: 'app', container: 'db' }] } });
    expect(volume(status)).toMatchObject({ phase: 'Succeeded' });
    expect(volume(await sync('three'))).toMatchObject({ phase: 'Failed', reason: 'HookFailed' });
    expect(await logged()).toEqual(['pre']);
    await writeFile(mark, '');
    await undone();
    await settled();
    expect((await sync('four')).phase).toBe('Completed');
  }, 240_000);

  test('When the controller is killed meanwhile Then the next one brings it back first, and copies it at rest again', async () => {
    await plain();
    await inTheMiddle('two');
    await kill();
    expect(await logged()).toEqual(['pre']);
    expect((await statusOf()).hooks?.open).toHaveLength(1);
    await patch({ spec: { pvcConfig: { bandwidthLimit: 0 } } });
    await solo.restart();
    const { phase } = await answer('two');

    expect(phase).toBe('Completed');
    expect(await logged()).toEqual(['pre', 'post', 'pre', 'post']);
    await settled();
  }, 240_000);

  test('When the controller is ended meanwhile Then it brings it back before it goes', async () => {
    await plain();
    await inTheMiddle('two');
    await solo.controller.stop();
    expect(await logged()).toEqual(['pre', 'post']);
    await patch({ spec: { pvcConfig: { bandwidthLimit: 0 } } });
    await solo.restart();
    expect((await answer('two')).phase).toBe('Completed');
    await settled();
  }, 240_000);

  test.each([
    ['paused', () => patch({ spec: { paused: true } })],
    ['changed', () => patch({ spec: { pvcConfig: { bandwidthLimit: 3_001 } } })],
    ['deleted', () => solo.client.delete(ref())],
  ])(
    'When the Replication is %s meanwhile Then it is brought back',
    async (_what, change) => {
      await plain();
      await inTheMiddle('two');
      await change();
      await undone();
      if (_what === 'deleted') {
        await eventually('the Replication to go', async () =>
          (await solo.client.find(ref())) === undefined ? true : undefined,
        );
      } else if (_what === 'paused') await settled();
      expect((await logged()).slice(0, 2)).toEqual(['pre', 'post']);
    },
    240_000,
  );

  test('When the controller is killed and the Replication deleted Then it is gone only when it is brought back', async () => {
    await plain();
    await inTheMiddle('two');
    await kill();
    await solo.client.delete(ref());
    expect(await solo.client.find(ref())).toBeDefined();
    await solo.restart();
    await undone();
    await eventually('the Replication to go', async () =>
      (await solo.client.find(ref())) === undefined ? true : undefined,
    );
    expect(await logged()).toEqual(['pre', 'post']);
  }, 240_000);

  test('When the pod is replaced meanwhile Then the copy does not count, and nothing is owed', async () => {
    await plain();
    await inTheMiddle('two');
    await removePod();
    await pod();
    const status = await answer('two');

    expect(volume(status)).toMatchObject({ phase: 'Failed', reason: 'HookFailed' });
    expect(status.hooks?.results?.at(-1)).toMatchObject({ when: 'Post', result: 'PodGone' });
    await settled();
  }, 240_000);

  test('When a command has no program Then the API server refuses it, and names the field', async () => {
    await expect(hooks({ command: [''] }, { command: ['/bin/true'] })).rejects.toThrow('pvcConfig.hooks.pre');
  });
});
