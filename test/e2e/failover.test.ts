import { execFile } from 'node:child_process';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { connectRemote, install, rolledOut } from '../demo/install.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface WithCondition {
  readonly status?: {
    readonly phase?: string;
    readonly lastSyncRequest?: string;
    readonly conditions?: readonly { type: string; status: string; reason: string }[];
  };
}

const NAMESPACE = 'e2e-failover';
const cli = join(import.meta.dirname, '../../packages/cli/dist/main.js');

describe('Given a standby, and nothing but the kubeconfig of its cluster', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;
  const labels = { e2e: 'failover' };

  const drSyncer = (...args: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const all = [cli, ...args, '--kubeconfig', settings.remoteKubeconfig];
      execFile(process.execPath, all, { timeout: 180_000 }, (err, out, stderr) =>
        resolve({ code: err === null ? 0 : Number(err.code ?? 255), out, err: stderr }),
      );
    });

  const syncNow = async (request: string): Promise<WithCondition> => {
    const path = ['replications.dr-syncer.io', NAMESPACE, '-n', SYSTEM_NAMESPACE];
    await source.run(['annotate', '--overwrite', ...path, `dr-syncer.io/sync-now=${request}`]);
    return eventually(
      `sync ${request} ends`,
      async () => {
        const found = await source.json<WithCondition>(['get', ...path]);
        return found.status?.lastSyncRequest === request ? found : undefined;
      },
      110_000,
    );
  };

  const page = (at: typeof source): Promise<string> =>
    at.run(['exec', 'deployment/web', '-n', NAMESPACE, '--', 'cat', '/data/page']);

  beforeAll(async () => {
    await install(context);
    await connectRemote(context);
    const metadata = (name: string, namespace?: string) => ({
      name,
      ...(namespace && { namespace }),
      labels,
    });
    const security = {
      ...{ runAsNonRoot: true, runAsUser: 2000, runAsGroup: 2000, fsGroup: 2000 },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    await source.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: metadata(NAMESPACE) },
      {
        ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: metadata('data', NAMESPACE) },
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: settings.sourceStorageClass,
          resources: { requests: { storage: '1Gi' } },
        },
      },
      {
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: metadata('web', NAMESPACE) },
        spec: {
          selector: { matchLabels: { app: 'web' } },
          template: {
            metadata: { labels: { app: 'web' } },
            spec: {
              securityContext: security,
              terminationGracePeriodSeconds: 1,
              containers: [
                {
                  ...{ name: 'web', image: settings.image },
                  command: ['sh', '-c', 'while sleep 3600; do :; done'],
                  volumeMounts: [{ name: 'data', mountPath: '/data' }],
                },
              ],
              volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
            },
          },
        },
      },
    ]);
    await rolledOut(source, NAMESPACE, 'deployment/web', 120_000);
    await source.run(['exec', 'deployment/web', '-n', NAMESPACE, '--', 'sh', '-c', 'echo first >/data/page']);
    await source.apply([
      {
        ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
        metadata: metadata(NAMESPACE, SYSTEM_NAMESPACE),
        spec: {
          destinationCluster: 'standby',
          sourceNamespace: NAMESPACE,
          pvcConfig: {
            storageClassMapping: { [settings.sourceStorageClass]: settings.remoteStorageClass },
          },
        },
      },
    ]);
    const { status } = await syncNow('before');
    expect(status).toMatchObject({ phase: 'Completed' });
  }, 400_000);

  afterAll(async () => {
    const fence = ['configmap', 'dr-syncer-agent-fence', '-n', SYSTEM_NAMESPACE, '--ignore-not-found'];
    await source.run(['delete', 'replications.dr-syncer.io', '-n', SYSTEM_NAMESPACE, '-l', 'e2e=failover']);
    await remote.run(['delete', ...fence]);
    const namespace = ['delete', 'ns', NAMESPACE, '--ignore-not-found', '--wait=false'];
    await Promise.all([source, remote].map((at) => at.run(namespace)));
  }, 120_000);

  test('When it is only looked at Then it says what it would do, and nothing has changed', async () => {
    const { code, out } = await drSyncer('failover', '-n', NAMESPACE, '--dry-run');

    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining('Deployment web') as unknown,
    });
    expect(out).toContain(`dr-syncer-system/${NAMESPACE}`);
    const namespace = await remote.json<{ metadata: { annotations: object } }>(['get', 'ns', NAMESPACE]);
    expect(namespace.metadata.annotations).not.toHaveProperty(['dr-syncer.io/active']);
  });

  test('When nobody can be asked Then it does nothing', async () => {
    expect(await drSyncer('failover', '-n', NAMESPACE)).toMatchObject({
      code: 1,
      err: expect.stringContaining('--yes') as unknown,
    });
  });

  test('When it is failed over to Then the application runs there with the data of the last sync', async () => {
    const { code, out, err } = await drSyncer('failover', '-n', NAMESPACE, '--yes', '--timeout', '120');

    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toMatch(/fenced 1 volumes on every node/);
    expect(out).toMatch(/RPO reached +\d+/);
    expect(out).toMatch(/RTO taken +\d+/);
    expect(await page(remote)).toBe('first\n');
  }, 200_000);

  test('When the source goes on syncing Then nothing is overwritten, and it says why', async () => {
    await remote.run([
      'exec',
      'deployment/web',
      '-n',
      NAMESPACE,
      '--',
      'sh',
      '-c',
      'echo second >/data/page',
    ]);

    const { status } = await syncNow('after');

    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'False', reason: 'StandbyActive' }),
    );
    expect(await page(remote)).toBe('second\n');
  });

  test('When it is run once more Then it finds everything done', async () => {
    const { code, err } = await drSyncer('failover', '-n', NAMESPACE, '--yes', '--timeout', '60');

    expect({ code, started: err.includes('started') }).toEqual({ code: 0, started: false });
    expect(await page(remote)).toBe('second\n');
  });

  test('When another namespace is no standby Then it is refused', async () => {
    const { code, err } = await drSyncer('failover', '--yes', '-n', 'default');

    expect(code).toBe(1);
    expect(err).toContain('is no standby');
  });
});
