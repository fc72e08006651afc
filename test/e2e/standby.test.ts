import { describe, expect, test } from '@jest/globals';

import { install } from '../demo/install.js';
import { DATA, SHOP } from '../demo/shop.js';
import { REPLICATION, SYSTEM_NAMESPACE } from '../demo/standby.js';
import { tellStory } from '../demo/story.js';
import { syncNow } from '../demo/sync.js';
import { twoClusters } from './support/clusters.js';

interface Status {
  readonly status: {
    readonly lastSyncRequest: string;
    readonly syncStats: { readonly applied: number; readonly unchanged: number };
    readonly volumes: readonly { readonly identity: { readonly destination: string } }[];
  };
  readonly metadata: { readonly annotations?: Record<string, string> };
}

describe('Given two clusters with a namespace in one of them', () => {
  const context = twoClusters();
  const { source, remote } = context;
  const replication = () =>
    source.json<Status>([
      'get',
      'replications.dr-syncer.io',
      REPLICATION,
      '-n',
      SYSTEM_NAMESPACE,
      '-o',
      'json',
    ]);

  test('When it is synced, changed and synced again Then both ends are equal, and only what changed was moved', async () => {
    await install(context);

    const equal = await tellStory(context);

    expect({ equal, said: equal ? '' : context.said() }).toEqual({ equal: true, said: '' });
  }, 300_000);

  test('When nothing has changed Then a sync writes no object and moves no byte', async () => {
    const { status, volume } = await syncNow(context, 'unchanged-1');

    expect(status.syncStats).toMatchObject({ applied: 0, failed: 0 });
    expect(volume).toMatchObject({ literalBytes: 0, filesTransferred: 0, filesDeleted: 0 });
    const { metadata, status: after } = await replication();
    expect(after.lastSyncRequest).toBe('unchanged-1');
    expect(metadata.annotations ?? {}).not.toHaveProperty(['dr-syncer.io/sync-now']);
  });

  test('Then the destination itself says how old it is', async () => {
    const { data } = await remote.json<{ data: Record<string, string> }>([
      ...['get', 'configmap', 'dr-syncer-last-sync', '-n', SHOP, '-o', 'json'],
    ]);

    const record = JSON.parse(data[`${SYSTEM_NAMESPACE}.${REPLICATION}`] ?? '') as Record<string, unknown>;
    expect(record).toMatchObject({ result: 'Completed', objects: { failed: 0 } });
    expect(record['volumes']).toMatchObject([{ phase: 'Succeeded' }]);
    expect(Date.parse(String(record['successAt']))).toBeGreaterThan(Date.now() - 600_000);
  });

  test('Then the workloads at the destination are at rest and say what they had', async () => {
    const statefulSet = await remote.json<{ spec: { replicas: number }; metadata: { annotations: object } }>([
      ...['get', 'statefulset', 'db', '-n', SHOP, '-o', 'json'],
    ]);

    expect(statefulSet.spec.replicas).toBe(0);
    expect(statefulSet.metadata.annotations).toMatchObject({ 'dr-syncer.io/original-replicas': '1' });
  });

  test('Then the tables and events say what a person needs', async () => {
    const table = await source.run(['get', 'remoteclusters.dr-syncer.io,replications.dr-syncer.io', '-A']);
    const described = await source.run([
      'describe',
      'replications.dr-syncer.io',
      REPLICATION,
      '-n',
      SYSTEM_NAMESPACE,
    ]);

    expect(table).toMatch(/PHASE\s+AGENTS\s+VERSION\s+REASON\s+AGE/);
    expect(table).toMatch(/CLUSTER\s+PHASE\s+OBJECTS\s+FAILED\s+VOLUMES\s+LAST SUCCESS/);
    expect(table).toMatch(/Ready\s+1\/1/);
    expect(table).toMatch(/Completed\s+9\s+0\s+1\/1/);
    expect(described).toMatch(/SyncCompleted .*9 objects \(9 written\) and 1 volumes are in place/);
  });

  test('When the annotation for privileged movers goes Then the next sync runs without privileges and says so', async () => {
    const annotate = ['annotate', 'namespace', SHOP, 'dr-syncer.io/privileged-movers-'];
    await remote.run(annotate);

    await expect(syncNow(context, 'unprivileged-1')).rejects.toThrow(/IdentityRefused/);

    await remote.run(['annotate', '--overwrite', 'namespace', SHOP, 'dr-syncer.io/privileged-movers=true']);
    const { volume } = await syncNow(context, 'privileged-again');
    expect(volume.name).toBe(DATA.claim);
  });
});
