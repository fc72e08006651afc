import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { install } from '../demo/install.js';
import { remoteKubeconfig } from '../demo/remote-access.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
interface WithStatus {
  readonly status?: { readonly phase?: string; readonly conditions?: readonly Condition[] };
}

const SECRET_VALUE = 'e2e-secret-value-4711';

describe('Given obstacles', () => {
  const context = twoClusters();
  const { source, remote } = context;
  let good = '';

  beforeAll(async () => {
    await install(context);
    good = await remoteKubeconfig(remote);
  }, 240_000);

  afterAll(async () => {
    await source.run([
      'delete',
      'remoteclusters.dr-syncer.io,replications.dr-syncer.io,secrets',
      '-A',
      '-l',
      'e2e=obstacles',
    ]);
    await Promise.all(
      [source, remote].map((at) => at.run(['delete', 'ns', '-l', 'e2e=obstacles', '--wait=false'])),
    );
  }, 120_000);

  const labels = { e2e: 'obstacles' };
  const metadata = (name: string, namespace = SYSTEM_NAMESPACE) => ({ name, namespace, labels });

  const condition = (
    plural: string,
    name: string,
    namespace: string,
    type: string,
    reason: string,
  ): Promise<Condition> =>
    eventually(
      `${plural}/${name} ${type}=${reason}`,
      async () => {
        const found = await source.json<WithStatus>([
          'get',
          `${plural}.dr-syncer.io`,
          name,
          '-n',
          namespace,
          '-o',
          'json',
        ]);
        return found.status?.conditions?.find((one) => one.type === type && one.reason === reason);
      },
      100_000,
    );

  const remoteCluster = async (name: string, kubeconfig: string | undefined): Promise<void> => {
    const api = { apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster' };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: metadata(name) };
    await source.apply([
      ...(kubeconfig === undefined ? [] : [{ ...secret, stringData: { kubeconfig } }]),
      { ...api, metadata: metadata(name), spec: { kubeconfigSecret: name } },
    ]);
  };

  const edited = (
    edit: (config: Record<string, Record<string, Record<string, unknown>>[]>) => void,
  ): string => {
    const config = JSON.parse(good) as Parameters<typeof edit>[0];
    edit(config);
    return JSON.stringify(config);
  };

  test('a kubeconfig Secret that is missing is named', async () => {
    await remoteCluster('e2e-no-secret', undefined);

    const found = await condition(
      'remoteclusters',
      'e2e-no-secret',
      SYSTEM_NAMESPACE,
      'Ready',
      'KubeconfigSecretNotFound',
    );
    expect(found.message).toContain('dr-syncer-system/e2e-no-secret');
  });

  test.each([
    [
      'exec',
      'users[0].user.exec',
      () => edited((c) => (c['users']![0]!['user'] = { exec: { command: 'sh' } })),
    ],
    [
      'tokenfile',
      'users[0].user.tokenFile',
      () => edited((c) => (c['users']![0]!['user'] = { tokenFile: '/etc/passwd' })),
    ],
    [
      'insecure',
      'insecure-skip-tls-verify',
      () => edited((c) => (c['clusters']![0]!['cluster']!['insecure-skip-tls-verify'] = true)),
    ],
    [
      'http',
      'clusters[0].cluster.server',
      () => edited((c) => (c['clusters']![0]!['cluster']!['server'] = 'http://10.0.0.1')),
    ],
  ])('a kubeconfig with %s is refused, naming %s', async (name, field, kubeconfig) => {
    await remoteCluster(`e2e-${name}`, kubeconfig());

    const found = await condition(
      'remoteclusters',
      `e2e-${name}`,
      SYSTEM_NAMESPACE,
      'KubeconfigValid',
      'KubeconfigRefused',
    );
    expect(found.message).toContain(field);
    const described = await source.run([
      'describe',
      'remoteclusters.dr-syncer.io',
      `e2e-${name}`,
      '-n',
      SYSTEM_NAMESPACE,
    ]);
    expect(described).toMatch(/Warning +KubeconfigRefused/);
  });

  test('an address where nobody answers, and a token that is wrong, are told apart', async () => {
    await remoteCluster(
      'e2e-unreachable',
      edited((c) => (c['clusters']![0]!['cluster']!['server'] = 'https://127.0.0.1:9')),
    );
    await remoteCluster(
      'e2e-token',
      edited((c) => (c['users']![0]!['user'] = { token: SECRET_VALUE })),
    );

    await condition('remoteclusters', 'e2e-unreachable', SYSTEM_NAMESPACE, 'Reachable', 'RemoteUnreachable');
    await condition('remoteclusters', 'e2e-token', SYSTEM_NAMESPACE, 'Reachable', 'RemoteUnauthorized');
  });

  describe('and a remote cluster that is fine', () => {
    const namespace = 'e2e-obstacles';

    beforeAll(async () => {
      const ns = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } };
      await Promise.all([source.apply([ns]), remote.apply([ns])]);
      await source.apply([
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: metadata('mine', namespace),
          data: { from: 'source' },
        },
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: metadata('taken', namespace),
          data: { from: 'source' },
        },
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: metadata('s', namespace),
          stringData: { value: SECRET_VALUE },
        },
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: metadata('data', namespace),
          spec: {
            accessModes: ['ReadWriteOnce'],
            storageClassName: context.settings.sourceStorageClass,
            resources: { requests: { storage: '1Gi' } },
          },
        },
      ]);
      await remote.apply([
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: metadata('taken', namespace),
          data: { from: 'remote' },
        },
      ]);
      await remoteCluster('e2e-good', good);
      await condition('remoteclusters', 'e2e-good', SYSTEM_NAMESPACE, 'Ready', 'Ready');
    }, 120_000);

    const replicate = (name: string, spec: Record<string, unknown>, at = SYSTEM_NAMESPACE) =>
      source.apply([
        {
          ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
          metadata: { ...metadata(name, at), annotations: { 'dr-syncer.io/sync-now': 'once' } },
          spec: { destinationCluster: 'dr-syncer-system/e2e-good', ...spec },
        },
      ]);

    test.each([
      [
        'e2e-nowhere',
        { destinationCluster: 'nowhere', sourceNamespace: namespace },
        SYSTEM_NAMESPACE,
        'RemoteClusterNotFound',
        'dr-syncer-system/nowhere',
      ],
      [
        'e2e-tenant',
        { sourceNamespace: 'kube-public' },
        namespace,
        'NamespaceNotAllowed',
        'spec.sourceNamespace',
      ],
      ['e2e-uninvited', {}, namespace, 'NamespaceNotAllowed', 'spec.allowedNamespaces'],
      [
        'e2e-missing',
        { sourceNamespace: 'is-not-there' },
        SYSTEM_NAMESPACE,
        'SourceNamespaceNotFound',
        'is-not-there',
      ],
      [
        'e2e-type',
        { sourceNamespace: namespace, resourceTypes: ['unicorns'] },
        SYSTEM_NAMESPACE,
        'UnknownResourceType',
        'unicorns',
      ],
    ])('%s says why nothing is synced', async (name, spec, at, reason, text) => {
      await replicate(name, spec, at);

      expect((await condition('replications', name, at, 'Ready', reason)).message).toContain(text);
    });

    test('what cannot be brought is named, left alone, and does not stop the rest', async () => {
      await replicate('e2e-partly', { sourceNamespace: namespace });

      const status = await eventually('e2e-partly to fail', async () => {
        const get = ['get', 'replications.dr-syncer.io', 'e2e-partly', '-n', SYSTEM_NAMESPACE, '-o', 'json'];
        const found = await source.json<WithStatus>(get);
        return found.status?.phase === 'Failed' ? JSON.stringify(found.status) : undefined;
      });
      expect(status).toContain('ForeignObject');
      expect(status).toContain('StorageClassNotFound');
      const maps = await remote.json<{ items: { metadata: { name: string }; data: { from?: string } }[] }>([
        ...['get', 'configmaps', '-n', namespace, '-l', 'e2e=obstacles', '-o', 'json'],
      ]);
      expect(Object.fromEntries(maps.items.map((one) => [one.metadata.name, one.data.from]))).toEqual({
        mine: 'source',
        taken: 'remote',
      });
    });

    test('no secret is in any log, event or status', async () => {
      const texts = await Promise.all([
        source.run(['logs', 'deploy/dr-syncer-controller', '-n', SYSTEM_NAMESPACE, '--tail=-1']),
        ...[source, remote].flatMap((at) => [
          at.run(['get', 'events', '-A', '-o', 'json']),
          at.run(['logs', 'ds/dr-syncer-agent', '-n', SYSTEM_NAMESPACE, '--all-containers', '--tail=-1']),
        ]),
        source.run(['get', 'remoteclusters.dr-syncer.io,replications.dr-syncer.io', '-A', '-o', 'json']),
      ]);
      const token = (JSON.parse(good) as { users: { user: { token: string } }[] }).users[0]!.user.token;

      for (const text of texts) {
        for (const secret of ['PRIVATE KEY', SECRET_VALUE, btoa(SECRET_VALUE), token]) {
          expect(text.includes(secret)).toBe(false);
        }
      }
    });
  });
});
