import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { install } from '../demo/install.js';
import { remoteKubeconfig } from '../demo/remote-access.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { eventually, twoClusters } from './support/clusters.js';
import { claim, digest, fill, ready, volumePod } from './support/volume-pod.js';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
interface RemoteClusterObject {
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly Condition[];
    readonly connectivity?: { readonly mode: string; readonly message: string };
  };
}

const READY_MS = 120_000;
const SYNC_MS = 180_000;

describe('Given remote clusters', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;
  let kubeconfig = '';

  beforeAll(async () => {
    await install(context);
    kubeconfig = await remoteKubeconfig(remote);
  }, 240_000);

  const labels = { e2e: 'remote-cluster' };
  const metadata = (name: string, namespace = SYSTEM_NAMESPACE) => ({ name, namespace, labels });

  afterAll(async () => {
    const all = ['delete', '-A', '-l', 'e2e=remote-cluster', '--timeout=60s'];
    await source.run([...all, 'replications.dr-syncer.io']);
    await source.run([...all, 'remoteclusters.dr-syncer.io,secrets']);
    await Promise.all(
      [source, remote].map((at) => at.run(['delete', 'ns', '-l', 'e2e=remote-cluster', '--wait=false'])),
    );
  }, 180_000);

  const secret = (name: string, text: string) => ({
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: metadata(name) },
    data: { kubeconfig: Buffer.from(text).toString('base64') },
  });
  const remoteCluster = (name: string, spec: Record<string, unknown> = {}) => ({
    ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster', metadata: metadata(name) },
    spec: { kubeconfigSecret: name, ...spec },
  });
  const connect = (name: string, spec: Record<string, unknown> = {}, text = kubeconfig) =>
    source.apply([secret(name, text), remoteCluster(name, spec)]);
  const look = (name: string): Promise<RemoteClusterObject> =>
    source.json(['get', 'remoteclusters.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE]);
  const whenReady = (name: string) =>
    eventually(
      `${name} to be Ready`,
      async () => {
        const found = await look(name);
        return found.status?.phase === 'Ready' ? found : undefined;
      },
      READY_MS,
    );

  describe('that are reached through their API server', () => {
    const modes = [
      ['e2e-forward', { mode: 'PortForward' }],
      ['e2e-auto', { mode: 'Auto', overrides: {} as Record<string, string> }],
    ] as const;

    beforeAll(async () => {
      const nodes = await remote.json<{ items: { metadata: { name: string } }[] }>(['get', 'nodes']);
      // Nobody listens there: as far as the source can tell, the port is blocked.
      for (const { metadata: node } of nodes.items) modes[1][1].overrides[node.name] = '127.0.0.1:9';
    });

    test.each(modes)(
      'When %s is connected Then its data arrives and status says how',
      async (name, connectivity) => {
        const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
        await source.apply([namespace]);
        await source.apply([
          claim('data', name, settings.sourceStorageClass),
          volumePod('writer', name, 'data', settings.image),
        ]);
        await ready(source, name, 'writer');
        await fill(source, name, 'writer', 64);
        await connect(name, { connectivity });
        const { status } = await whenReady(name);
        expect(status?.connectivity?.mode).toBe('PortForward');

        await source.apply([
          {
            ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
            metadata: { ...metadata(name), annotations: { 'dr-syncer.io/sync-now': 'once' } },
            spec: {
              ...{ destinationCluster: name, sourceNamespace: name },
              pvcConfig: {
                storageClassMapping: { [settings.sourceStorageClass]: settings.remoteStorageClass },
              },
            },
          },
        ]);
        await eventually(
          `${name} to be synced`,
          async () => {
            const found = await source.json<RemoteClusterObject>([
              ...['get', 'replications.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE],
            ]);
            if (found.status?.phase === 'Failed') throw new Error(JSON.stringify(found.status));
            return found.status?.phase === 'Completed' ? true : undefined;
          },
          SYNC_MS,
        );

        await remote.apply([{ ...namespace, metadata: { name, labels } }]);
        await remote.apply([volumePod('reader', name, 'data', settings.image)]);
        await ready(remote, name, 'reader');
        const before = await digest(source, name, 'writer');
        expect(before.trim().split('\n')).toHaveLength(4);
        expect(await digest(remote, name, 'reader')).toBe(before);
        const audit = await remote.run([
          ...['logs', 'ds/dr-syncer-agent', '-c', 'ssh', '-n', SYSTEM_NAMESPACE, '--tail=300'],
        ]);
        expect(audit).toMatch(/"audit".*"remote_addr":"(127\.0\.0\.1|::1)"/);
      },
      READY_MS + SYNC_MS + 120_000,
    );
  });
});
