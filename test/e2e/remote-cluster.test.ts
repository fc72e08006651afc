import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { install } from '../demo/install.js';
import { remoteKubeconfig } from '../demo/remote-access.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
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
    // First those, with their Secrets: without a way to the remote they stay until somebody gives it up.
    await source.run([...all, 'remoteclusters.dr-syncer.io']);
    await source.run([...all, 'secrets']);
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

  const conditionOf = (name: string, type: string, fits: (one: Condition) => boolean, timeoutMs = 60_000) =>
    eventually(
      `${name} ${type}`,
      async () => {
        const found = await look(name);
        return found.status?.conditions?.find((one) => one.type === type && fits(one));
      },
      timeoutMs,
    );
  /** The kubeconfig with fields of its cluster and user replaced. */
  const edited = (cluster: Record<string, unknown>, user: Record<string, unknown> = {}): string => {
    const config = JSON.parse(kubeconfig) as {
      clusters: { cluster: Record<string, unknown> }[];
      users: { user: Record<string, unknown> }[];
    };
    Object.assign(config.clusters[0]!.cluster, cluster);
    Object.assign(config.users[0]!.user, user);
    return JSON.stringify(config);
  };
  const remove = (name: string, ...options: string[]) =>
    source.run(['delete', 'remoteclusters.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE, ...options]);
  const owners = async (): Promise<string> => {
    const get = ['get', 'secret', 'dr-syncer-agent-authorized-keys', '-n', SYSTEM_NAMESPACE];
    const found = await remote.json<{ data: Record<string, string> }>(get);
    const text = Buffer.from(found.data['authorized_keys'] ?? '', 'base64').toString();
    return [...text.matchAll(/owner=(\S+)/g)].map(([, owner]) => owner).join('\n');
  };

  test('When the Secret is changed Then that is noticed within seconds, both ways', async () => {
    await connect('e2e-secret', {}, edited({ server: 'https://127.0.0.1:9' }));
    await conditionOf('e2e-secret', 'Reachable', ({ reason }) => reason === 'RemoteUnreachable');

    const began = Date.now();
    await source.apply([secret('e2e-secret', kubeconfig)]);
    await conditionOf('e2e-secret', 'Reachable', ({ status }) => status === 'True');
    const good = Date.now() - began;
    await whenReady('e2e-secret');
    const again = Date.now();
    await source.apply([secret('e2e-secret', edited({}, { token: 'no-longer-good' }))]);
    await conditionOf('e2e-secret', 'Reachable', ({ reason }) => reason === 'RemoteUnauthorized');
    const bad = Date.now() - again;
    await source.run(['delete', 'secret', 'e2e-secret', '-n', SYSTEM_NAMESPACE]);
    await conditionOf('e2e-secret', 'Ready', ({ reason }) => reason === 'KubeconfigSecretNotFound');
    await source.apply([secret('e2e-secret', kubeconfig)]);
    await whenReady('e2e-secret');

    // Watched and not polled: an unreachable cluster is looked at every 5 s, a good one every 5 min.
    expect(good).toBeLessThan(10_000);
    expect(bad).toBeLessThan(10_000);
  });

  test('When the token ends soon Then a condition says so', async () => {
    const token = await remote.run([
      ...['create', 'token', 'dr-syncer-remote', '-n', SYSTEM_NAMESPACE, '--duration=600s'],
    ]);
    await connect('e2e-expiry', {}, edited({}, { token: token.trim() }));

    const first = await conditionOf('e2e-expiry', 'KubeconfigExpiring', () => true);
    expect(first).toMatchObject({ status: 'False', reason: 'Valid' });
    expect(Date.parse(/ends at (\S+Z)/.exec(first.message)![1]!) - Date.now()).toBeLessThan(700_000);
  });

  test('When a permission is missing Then it is named', async () => {
    const account = metadata('e2e-limited');
    await remote.apply([
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account },
      {
        ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: account },
        rules: [{ apiGroups: [''], resources: ['*'], verbs: ['*'] }],
      },
      {
        ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: account },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'e2e-limited' },
        subjects: [{ kind: 'ServiceAccount', name: 'e2e-limited', namespace: SYSTEM_NAMESPACE }],
      },
    ]);
    const token = await remote.run(['create', 'token', 'e2e-limited', '-n', SYSTEM_NAMESPACE]);
    await connect('e2e-limited', {}, edited({}, { token: token.trim() }));

    const found = await conditionOf('e2e-limited', 'PermissionsGranted', ({ status }) => status === 'False');
    expect(found.reason).toBe('PermissionMissing');
    expect(found.message).toContain('create daemonsets.apps in dr-syncer-system');
    expect(found.message).not.toContain('create secrets in dr-syncer-system');
    await remote.run(['delete', 'sa,role,rolebinding', 'e2e-limited', '-n', SYSTEM_NAMESPACE]);
  });

  test('When one is deleted Then its key leaves the remote, and what others use stays', async () => {
    await connect('e2e-stays');
    await connect('e2e-goes');
    await Promise.all([whenReady('e2e-stays'), whenReady('e2e-goes')]);
    expect(await owners()).toContain('/dr-syncer-system/e2e-goes');

    await remove('e2e-goes', '--timeout=60s');

    const left = await owners();
    expect(left).not.toContain('e2e-goes');
    expect(left).toContain('/dr-syncer-system/e2e-stays');
    await remote.run(['get', 'daemonset', 'dr-syncer-agent', '-n', SYSTEM_NAMESPACE]);
    await eventually('an Event about it', async () => {
      const events = await source.run(['get', 'events', '-n', SYSTEM_NAMESPACE, '-o', 'json']);
      return events.includes('RemoteCleaned') ? true : undefined;
    });
  });

  test('When the remote is gone for good Then it says how to let go, and that works', async () => {
    await connect('e2e-gone');
    await whenReady('e2e-gone');
    await source.apply([secret('e2e-gone', edited({ server: 'https://127.0.0.1:9' }))]);
    await conditionOf('e2e-gone', 'Reachable', ({ status }) => status === 'False');
    await remove('e2e-gone', '--wait=false');

    const stuck = await conditionOf('e2e-gone', 'Ready', ({ message }) => message.includes('abandon-remote'));
    expect(stuck.reason).toBe('RemoteUnreachable');
    const annotate = ['annotate', 'remoteclusters.dr-syncer.io', 'e2e-gone', '-n', SYSTEM_NAMESPACE];
    await source.run([...annotate, 'dr-syncer.io/abandon-remote=true']);
    await source.run([
      'wait',
      '--for=delete',
      'remoteclusters.dr-syncer.io/e2e-gone',
      '-n',
      SYSTEM_NAMESPACE,
    ]);
  });

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
