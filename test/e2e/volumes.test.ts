import { randomBytes } from 'node:crypto';

import type { VolumeStatus } from '@dr-syncer/api';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { install } from '../demo/install.js';
import type { Kubectl, KubeObject } from '../demo/kubectl.js';
import { PRIVILEGED_MOVERS, SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
import { connect, replicationOf, sync, type SyncedStatus } from './support/replication.js';
import { claim, digest, fill, python, ready, volumePod } from './support/volume-pod.js';

const labels = { e2e: 'volumes' };
const REMOTE = 'e2e-volumes';
const EMPTY = 'e2e-volumes-none';
const MIB = 1 << 20;

/** Three namespaces with five workloads that have two volumes each. */
const workloads = [
  { namespace: 'e2e-volumes-a', workload: 'one' },
  { namespace: 'e2e-volumes-a', workload: 'two' },
  { namespace: 'e2e-volumes-b', workload: 'one' },
  { namespace: 'e2e-volumes-b', workload: 'two' },
  { namespace: 'e2e-volumes-c', workload: 'one' },
] as const;
const namespaces = [...new Set(workloads.map(({ namespace }) => namespace))];
const claimsOf = (workload: string) => [`${workload}-data`, `${workload}-log`];

describe('Given ten volumes of five workloads in three namespaces', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;

  const namespaceObject = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels, annotations: { [PRIVILEGED_MOVERS]: 'true' } },
  });

  const replication = (name: string, pvcConfig: Readonly<Record<string, unknown>> = {}): KubeObject =>
    replicationOf(name, labels, {
      destinationCluster: REMOTE,
      sourceNamespace: name,
      resourceTypes: ['persistentvolumeclaims'],
      pvcConfig: {
        storageClassMapping: { [settings.sourceStorageClass]: settings.remoteStorageClass },
        ...pvcConfig,
      },
    });

  const statusOf = async (name: string): Promise<SyncedStatus<VolumeStatus>> => {
    const found = await source.json<{ status: SyncedStatus<VolumeStatus> }>([
      ...['get', 'replications.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE],
    ]);
    return found.status;
  };

  const podName = (claimName: string) => `pod-${claimName}`;
  const withPod = async (at: Kubectl, namespace: string, claimName: string): Promise<void> => {
    await at.apply([volumePod(podName(claimName), namespace, claimName, settings.image)]);
    await ready(at, namespace, podName(claimName));
  };
  const withoutPod = (at: Kubectl, namespace: string, claimName: string): Promise<string> =>
    at.run(['delete', 'pod', podName(claimName), '-n', namespace, '--wait=true'], { timeoutMs: 120_000 });

  /** What the copy holds, as a pod of the standby would see it. */
  const copyOf = async (namespace: string, claimName: string): Promise<string> => {
    await withPod(remote, namespace, claimName);
    try {
      return await digest(remote, namespace, podName(claimName));
    } finally {
      await withoutPod(remote, namespace, claimName);
    }
  };

  beforeAll(async () => {
    await install(context);
    await connect(context, REMOTE, labels);
    const all = [...namespaces, EMPTY].map(namespaceObject);
    await Promise.all([source.apply(all), remote.apply(all)]);
    for (const { namespace, workload } of workloads) {
      await source.apply(
        claimsOf(workload).map((name) => claim(name, namespace, settings.sourceStorageClass)),
      );
      for (const name of claimsOf(workload)) {
        await withPod(source, namespace, name);
        await fill(source, namespace, podName(name), 8);
      }
    }
  }, 600_000);

  afterAll(async () => {
    const ours = 'replications.dr-syncer.io,remoteclusters.dr-syncer.io,secrets';
    await source.run(['delete', ours, '-n', SYSTEM_NAMESPACE, '-l', 'e2e=volumes', '--ignore-not-found']);
    await Promise.all(
      [source, remote].map((at) => at.run(['delete', 'ns', '-l', 'e2e=volumes', '--wait=false'])),
    );
  }, 180_000);

  test('When all are synced at once under limits Then no more run than may, and every copy is equal', async () => {
    const limits = { limits: { concurrentTransfers: 3, perNode: 2 } };
    const patch = JSON.stringify({ spec: limits });
    const remoteCluster = `remoteclusters.dr-syncer.io/${REMOTE}`;
    await source.run(['patch', remoteCluster, '-n', SYSTEM_NAMESPACE, '--type=merge', '-p', patch]);
    await source.apply(namespaces.map((name) => replication(name, { bandwidthLimit: 8_000 })));
    const seen = { most: 0, over: false };
    const watching = (async () => {
      while (!seen.over) {
        const all = await Promise.all(namespaces.map((name) => statusOf(name).catch(() => undefined)));
        const running = all.flatMap((status) => status?.volumes ?? []).filter(isMoving);
        seen.most = Math.max(seen.most, running.length);
      }
    })();

    const ended = await Promise.all(
      namespaces.map((name) => sync<VolumeStatus>(source, name, `all-${name}`)),
    ).finally(() => (seen.over = true));
    await watching;

    expect(ended.map(({ phase, volumes }) => [phase, volumes.map(({ phase: one }) => one)])).toEqual(
      namespaces.map((name) => [
        'Completed',
        workloads.filter((one) => one.namespace === name).flatMap(() => ['Succeeded', 'Succeeded']),
      ]),
    );
    expect(seen.most).toBeGreaterThan(0);
    expect(seen.most).toBeLessThanOrEqual(2);
    for (const { namespace, workload } of workloads) {
      for (const name of claimsOf(workload)) {
        expect(await copyOf(namespace, name)).toBe(await digest(source, namespace, podName(name)));
      }
    }
  }, 600_000);

  test('When most of a source is gone Then its copy stays as it is until a person confirms that run', async () => {
    const [namespace, name] = ['e2e-volumes-c', 'one-data'] as const;
    const before = await copyOf(namespace, name);
    await python(
      ...([source, namespace, podName(name)] as const),
      "import os\nfor n in range(3): os.remove(f'/data/noise-{n}')\n",
    );

    const stopped = await sync<VolumeStatus>(source, namespace, 'shrunk-1');

    expect(stopped.phase).toBe('Failed');
    const volume = stopped.volumes.find((one) => one.name === name);
    expect(volume).toMatchObject({ phase: 'Failed', reason: 'DeletionGuard' });
    expect(volume?.message).toContain('dr-syncer.io/confirm-deletions=shrunk-1');
    expect(stopped.conditions).toContainEqual(
      expect.objectContaining({ type: 'DeletionGuard', status: 'True', reason: 'DeletionGuard' }),
    );
    const described = await source.run([
      ...['describe', 'replications.dr-syncer.io', namespace, '-n', SYSTEM_NAMESPACE],
    ]);
    expect(described).toMatch(/Warning\s+DeletionGuard/);
    expect(await copyOf(namespace, name)).toBe(before);

    // Another run, and one that was never stopped, are no confirmation.
    expect((await sync<VolumeStatus>(source, namespace, 'shrunk-2')).phase).toBe('Failed');
    const object = `replications.dr-syncer.io/${namespace}`;
    const confirm = ['annotate', '--overwrite', object, '-n', SYSTEM_NAMESPACE];
    await source.run([...confirm, 'dr-syncer.io/confirm-deletions=shrunk-2']);
    expect((await sync<VolumeStatus>(source, namespace, 'shrunk-3')).phase).toBe('Failed');
    expect(await copyOf(namespace, name)).toBe(before);

    await source.run([...confirm, 'dr-syncer.io/confirm-deletions=shrunk-1']);
    const confirmed = await sync<VolumeStatus>(source, namespace, 'shrunk-4');

    expect(confirmed.phase).toBe('Completed');
    expect(confirmed.conditions).toContainEqual(
      expect.objectContaining({ type: 'DeletionGuard', status: 'False' }),
    );
    expect(await copyOf(namespace, name)).toBe(await digest(source, namespace, podName(name)));
  }, 600_000);

  test('When a source is empty Then its copy is not emptied', async () => {
    const [namespace, name] = ['e2e-volumes-c', 'one-log'] as const;
    const before = await copyOf(namespace, name);
    await python(
      ...([source, namespace, podName(name)] as const),
      "import os\nfor n in range(4): os.remove(f'/data/noise-{n}')\n",
    );
    const { volumes } = await sync<VolumeStatus>(source, namespace, 'empty-1');
    expect(volumes.find((one) => one.name === name)).toMatchObject({ reason: 'SourceEmpty' });
    expect(await copyOf(namespace, name)).toBe(before);
  }, 300_000);

  test('When a claim has no pod at either end Then its volume is copied, and the pods that held it go after a while', async () => {
    await source.apply([claim('alone', EMPTY, settings.sourceStorageClass), replication(EMPTY)]);
    await withPod(source, EMPTY, 'alone');
    await fill(source, EMPTY, podName('alone'), 4);
    const expected = await digest(source, EMPTY, podName('alone'));
    await withoutPod(source, EMPTY, 'alone');

    const { phase } = await sync<VolumeStatus>(source, EMPTY, 'alone-1');

    expect(phase).toBe('Completed');
    expect(await copyOf(EMPTY, 'alone')).toBe(expected);
    const held = await source.json<{ items: KubeObject[] }>([
      ...['get', 'pods', '-n', EMPTY, '-l', 'dr-syncer.io/placeholder-for'],
    ]);
    expect(held.items).toHaveLength(1);
    expect(held.items[0]?.metadata.labels).toHaveProperty(['dr-syncer.io/controller']);
  }, 300_000);

  test('When the controller is killed in the middle Then the next one goes on with the same transfer, and its progress', async () => {
    const [namespace, name] = ['e2e-volumes-a', 'one-data'] as const;
    await python(
      ...([source, namespace, podName(name)] as const),
      `import os\nwith open('/data/more', 'wb') as f:\n  for _ in range(48): f.write(os.urandom(${MIB}))\n`,
    );
    await source.apply([replication(namespace, { bandwidthLimit: 4_000 })]);
    const request = `restart-${randomBytes(3).toString('hex')}`;
    const object = `replications.dr-syncer.io/${namespace}`;
    const annotate = ['annotate', '--overwrite', object, `dr-syncer.io/sync-now=${request}`];
    await source.run([...annotate, '-n', SYSTEM_NAMESPACE]);
    const volume = async (): Promise<VolumeStatus | undefined> =>
      (await statusOf(namespace)).volumes.find((one) => one.name === name);
    const first = await eventually('some progress', async () => {
      const now = await volume();
      return now?.phase === 'Transferring' && (now.percent ?? 0) >= 20 ? now : undefined;
    });
    await source.run([
      ...['delete', 'pod', '-n', SYSTEM_NAMESPACE, '-l', 'app=dr-syncer-controller'],
      ...['--force', '--grace-period=0'],
    ]);

    const ended = await eventually(
      'the request to be answered',
      async () => {
        const status = await statusOf(namespace);
        return status.lastSyncRequest === request ? status : undefined;
      },
      240_000,
    );

    expect(ended.phase).toBe('Completed');
    const last = ended.volumes.find((one) => one.name === name);
    // The same transfer: it began before the first controller was killed.
    expect(last?.startedAt).toBe(first.startedAt);
    expect(await copyOf(namespace, name)).toBe(await digest(source, namespace, podName(name)));
  }, 600_000);
});

function isMoving({ phase, firstByteAt, finishedAt }: VolumeStatus): boolean {
  return phase === 'Transferring' && firstByteAt !== undefined && finishedAt === undefined;
}
