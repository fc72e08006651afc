import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { install } from '../demo/install.js';
import type { KubeObject } from '../demo/kubectl.js';
import { API_VERSION, REMOTE_CLUSTER, SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';

interface Replication {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly status?: {
    readonly phase?: string;
    readonly lastSyncRequest?: string;
    readonly lastRunTime?: string;
    readonly nextSyncTime?: string;
    readonly observedGeneration?: number;
    readonly syncStats?: { readonly total: number; readonly applied: number; readonly kept?: number };
    readonly prune?: { readonly waiting: number; readonly token?: string };
    readonly conditions?: readonly {
      readonly type: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}

const WAIT_MS = 60_000;

describe('Given Replications in each mode', () => {
  const context = twoClusters();
  const { source, remote } = context;
  const labels = { e2e: 'modes' };

  beforeAll(() => install(context), 240_000);

  afterAll(async () => {
    await source.run(['delete', 'replications.dr-syncer.io', '-A', '-l', 'e2e=modes', '--timeout=50s']);
    await Promise.all(
      [source, remote].map((at) => at.run(['delete', 'ns', '-l', 'e2e=modes', '--wait=false'])),
    );
  }, 120_000);

  const namespace = async (name: string): Promise<void> => {
    await source.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }]);
    await remote.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }]);
  };
  const map = (ns: string, name: string, value: string): KubeObject => ({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: ns } },
    data: { value },
  });
  const replicate = (name: string, spec: Record<string, unknown>): Promise<unknown> =>
    source.apply([
      {
        ...{ apiVersion: API_VERSION, kind: 'Replication' },
        metadata: { name, namespace: SYSTEM_NAMESPACE, labels },
        spec: { destinationCluster: REMOTE_CLUSTER, sourceNamespace: name, ...spec },
      },
    ]);
  const read = (name: string): Promise<Replication> =>
    source.json<Replication>([
      'get',
      'replications.dr-syncer.io',
      name,
      '-n',
      SYSTEM_NAMESPACE,
      '-o',
      'json',
    ]);
  const status = (
    name: string,
    what: string,
    holds: (status: NonNullable<Replication['status']>) => boolean,
  ) =>
    eventually(
      `${name}: ${what}`,
      async () => {
        const { status: now = {} } = await read(name);
        return holds(now) ? now : undefined;
      },
      WAIT_MS,
    );
  const copy = async (ns: string, name: string): Promise<string | undefined> => {
    const found = await remote.json<{ items: { metadata: { name: string }; data?: { value?: string } }[] }>([
      ...['get', 'configmaps', '-n', ns, '-o', 'json'],
    ]);
    return found.items.find(({ metadata }) => metadata.name === name)?.data?.value;
  };
  const arrives = (ns: string, name: string, value: string | undefined) =>
    eventually(
      `${ns}/${name}=${value}`,
      async () => ((await copy(ns, name)) === value ? true : undefined),
      WAIT_MS,
    );
  const annotate = (name: string, ...annotations: string[]) =>
    source.run([
      ...['annotate', '--overwrite', 'replications.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE],
      ...annotations,
    ]);
  const reasonOf = (now: NonNullable<Replication['status']>): string | undefined =>
    now.conditions?.find(({ type }) => type === 'Ready')?.reason;

  describe('Continuous', () => {
    const name = 'e2e-continuous';

    test('changes at the source arrive, changes at the copy are undone, the status says so', async () => {
      await namespace(name);
      await source.apply([map(name, 'a', '1')]);
      await replicate(name, { sync: { mode: 'Continuous', dataIntervalSeconds: 0 } });

      await status(name, 'is complete', ({ phase }) => phase === 'Completed');
      await source.apply([map(name, 'a', '2'), map(name, 'b', '1')]);
      await arrives(name, 'a', '2');
      await arrives(name, 'b', '1');
      await remote.run([
        'patch',
        'configmap',
        'a',
        '-n',
        name,
        '--type=merge',
        '-p',
        '{"data":{"value":"edited"}}',
      ]);
      await arrives(name, 'a', '2');

      const { syncStats } = await status(name, 'counts both', (now) => now.syncStats?.total === 2);
      expect(syncStats).toMatchObject({ failed: 0 });
    }, 240_000);

    test('an active namespace is left alone until it is a standby again', async () => {
      await remote.run(['annotate', 'namespace', name, 'dr-syncer.io/active=true']);
      await source.apply([map(name, 'a', '3')]);

      await status(name, 'says so', (now) => now.phase === 'Paused' && reasonOf(now) === 'StandbyActive');
      expect(await copy(name, 'a')).toBe('2');
      await annotate(name, 'dr-syncer.io/sync-now=while-active');
      await status(name, 'answers', (now) => now.lastSyncRequest === 'while-active');
      expect(await copy(name, 'a')).toBe('2');

      await remote.run(['annotate', 'namespace', name, 'dr-syncer.io/active-']);
      await arrives(name, 'a', '3');
      await status(name, 'is complete', ({ phase }) => phase === 'Completed');
    }, 240_000);

    test('a spec edit acts at once, paused means paused', async () => {
      await source.run([
        ...['patch', 'replications.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE, '--type=merge'],
        ...['-p', '{"spec":{"excludeResources":[{"kind":"ConfigMap","name":"b"}]}}'],
      ]);
      await status(name, 'excludes', (now) => now.syncStats?.total === 1);

      await source.run([
        ...['patch', 'replications.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE, '--type=merge'],
        ...['-p', '{"spec":{"paused":true}}'],
      ]);
      await status(name, 'is paused', ({ phase }) => phase === 'Paused');
      await source.apply([map(name, 'a', '4')]);
      await annotate(name, 'dr-syncer.io/sync-now=while-paused');
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      expect(await copy(name, 'a')).toBe('3');

      await source.run([
        ...['patch', 'replications.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE, '--type=merge'],
        ...['-p', '{"spec":{"paused":false}}'],
      ]);
      await arrives(name, 'a', '4');
      await status(name, 'answers', (now) => now.lastSyncRequest === 'while-paused');
    }, 240_000);

    test('deleted with policy Prune, it takes its objects along and nothing else', async () => {
      await remote.apply([map(name, 'theirs', '1')]);
      await source.run([
        ...['patch', 'replications.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE, '--type=merge'],
        ...['-p', '{"spec":{"deletionPolicy":"Prune"}}'],
      ]);
      await eventually('the finalizer', async () => {
        const { metadata } = (await read(name)) as { metadata: { finalizers?: string[] } };
        return metadata.finalizers?.includes('dr-syncer.io/standby') === true ? true : undefined;
      });

      await source.run([
        'delete',
        'replications.dr-syncer.io',
        name,
        '-n',
        SYSTEM_NAMESPACE,
        '--timeout=50s',
      ]);

      expect(await copy(name, 'a')).toBeUndefined();
      expect(await copy(name, 'theirs')).toBe('1');
    }, 240_000);
  });

  describe('Scheduled', () => {
    const name = 'e2e-scheduled';

    test('it runs at once, says when it runs next, and makes up for a time that was missed', async () => {
      await namespace(name);
      await source.apply([map(name, 'a', '1')]);
      await replicate(name, {
        sync: { mode: 'Scheduled', schedule: '0 4 * * mon', timeZone: 'Europe/Berlin' },
      });

      const first = await status(name, 'is complete', ({ phase }) => phase === 'Completed');
      expect(new Date(first.nextSyncTime ?? 0).getTime()).toBeGreaterThan(Date.now());
      expect(new Date(first.nextSyncTime ?? 0).getUTCDay()).toBe(1);

      await source.apply([map(name, 'a', '2')]);
      const lastRunTime = '2026-01-01T00:00:00Z';
      await source.run([
        ...['patch', 'replications.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE, '--subresource=status'],
        ...['--type=merge', '-p', JSON.stringify({ status: { lastRunTime } })],
      ]);
      await arrives(name, 'a', '2');
      const second = await status(
        name,
        'is complete',
        (now) => now.lastRunTime !== lastRunTime && now.phase === 'Completed',
      );
      expect(second.nextSyncTime).toBe(first.nextSyncTime);
    }, 240_000);

    test('a schedule that is none is named, and a corrected one acts', async () => {
      const patch = (schedule: string) =>
        source.run([
          ...['patch', 'replications.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE, '--type=merge'],
          ...['-p', JSON.stringify({ spec: { sync: { schedule } } })],
        ]);
      await patch('every day');
      const { conditions } = await status(name, 'says so', (now) => reasonOf(now) === 'ScheduleInvalid');
      expect(conditions?.find(({ type }) => type === 'Ready')?.message).toContain('"every day"');

      await source.apply([map(name, 'a', '3')]);
      await patch('@daily');
      await arrives(name, 'a', '3');
    }, 240_000);
  });
});
