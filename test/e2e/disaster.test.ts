import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { fullClusters, type LocalTestCluster, type TestClusters } from '../cluster/index.js';
import { connectRemote, install, rolledOut } from '../demo/install.js';
import type { Kubectl } from '../demo/kubectl.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { cli } from '../support/cli.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
import { replicationOf, sync } from './support/replication.js';

const NAMESPACE = 'e2e-disaster';

/** Keeps a line for each request, on disk before it answers. */
const STORE = `
const fs = require('node:fs');
require('node:http').createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => (body += chunk));
  request.on('end', () => {
    const file = fs.openSync('/data/log', 'a', 0o600);
    fs.writeSync(file, body + '\\n');
    fs.fsyncSync(file);
    fs.closeSync(file);
    response.end('kept');
  });
}).listen(8080);
process.on('SIGTERM', () => process.exit(0));
`;
/** Writes to the Service every second. */
const CLIENT = `
const { STORE_SERVICE_HOST: host, STORE_SERVICE_PORT: port, NODE: node } = process.env;
const write = () => fetch('http://' + host + ':' + port, { method: 'POST', body: 'line ' + Date.now() + ' ' + node }).catch(() => undefined);
setInterval(write, 1000);
process.on('SIGTERM', () => process.exit(0));
`;

describe('Given an application that is written to every second through its Service, and its standby', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;
  const labels = { e2e: 'disaster' };
  const alone = ['-n', NAMESPACE, '--kubeconfig', settings.remoteKubeconfig];
  const both = ['--kubeconfig', settings.sourceKubeconfig, '--remote-kubeconfig', settings.remoteKubeconfig];
  const named = [NAMESPACE, '-n', SYSTEM_NAMESPACE, ...both];
  let clusters: TestClusters<LocalTestCluster>;
  /** What the remote had in the end. */
  let served: string[];

  const read = async (at: Kubectl): Promise<string[]> =>
    (await at.run(['exec', 'deployment/store', '-n', NAMESPACE, '--', 'cat', '/data/log']))
      .split('\n')
      .filter((line) => line.startsWith('line '));
  const isOf = (cluster: LocalTestCluster) => (line: string) =>
    cluster.nodes.some(({ name }) => line.endsWith(` ${name}`));
  /** The lines, when there are that many more from a client in this cluster. */
  const written = async (at: Kubectl, cluster: LocalTestCluster, more: number): Promise<string[]> => {
    const before = (await read(at).catch(() => [])).filter(isOf(cluster)).length;
    return eventually(
      `${more} lines more at the ${at.cluster}`,
      async () => {
        const now = await read(at).catch(() => []);
        return now.filter(isOf(cluster)).length >= before + more ? now : undefined;
      },
      150_000,
    );
  };
  const firewall = async (action: '-I' | '-D'): Promise<void> => {
    for (const node of clusters.source.nodes) {
      for (const { address } of clusters.remote.nodes) {
        const rule = ['FORWARD', '-s', address, '-p', 'tcp', '--dport', '2222', '-j', 'REJECT'];
        await node.exec(['iptables', action, ...rule]).catch((err: unknown) => {
          if (action === '-I') throw err;
        });
      }
    }
  };
  const replicas = async (at: Kubectl): Promise<string> =>
    at.run(['get', 'deployments', '-n', NAMESPACE, '-o', 'jsonpath={.items[*].spec.replicas}']);

  beforeAll(async () => {
    clusters = await fullClusters();
    await install(context);
    await connectRemote(context);
    const object = (apiVersion: string, kind: string, name: string, more: object) => ({
      ...{ apiVersion, kind, metadata: { name, namespace: NAMESPACE } },
      ...more,
    });
    const security = {
      ...{ runAsNonRoot: true, runAsUser: 2000, runAsGroup: 2000, fsGroup: 2000 },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const workload = (name: string, container: object, pod: object = {}) =>
      object('apps/v1', 'Deployment', name, {
        spec: {
          ...{ replicas: 1, strategy: { type: 'Recreate' }, selector: { matchLabels: { app: name } } },
          template: {
            metadata: { labels: { app: name } },
            spec: {
              ...{ securityContext: security, terminationGracePeriodSeconds: 2, ...pod },
              containers: [{ name, image: settings.image, ...container }],
            },
          },
        },
      });
    await source.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } },
      object('v1', 'PersistentVolumeClaim', 'data', {
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: settings.sourceStorageClass,
          resources: { requests: { storage: '1Gi' } },
        },
      }),
      object('v1', 'Service', 'store', {
        spec: { selector: { app: 'store' }, ports: [{ port: 80, targetPort: 8080 }] },
      }),
      workload(
        'store',
        {
          command: ['node', '-e', STORE],
          readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
        { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
      ),
      workload('client', {
        command: ['node', '-e', CLIENT],
        env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
      }),
    ]);
    await rolledOut(source, NAMESPACE, 'deployment/store', 120_000);
    await rolledOut(source, NAMESPACE, 'deployment/client', 120_000);
    await source.apply([
      replicationOf(NAMESPACE, labels, {
        destinationCluster: 'standby',
        sourceNamespace: NAMESPACE,
        pvcConfig: { storageClassMapping: { [settings.sourceStorageClass]: settings.remoteStorageClass } },
      }),
    ]);
    expect(await sync(source, NAMESPACE, 'first')).toMatchObject({ phase: 'Completed' });
  }, 400_000);

  afterAll(async () => {
    // Whatever has failed, the tests that follow find the source running.
    await clusters.source.startNode();
    await firewall('-D');
    await rolledOut(source, SYSTEM_NAMESPACE, 'deployment/dr-syncer-controller', 180_000);
    const fence = ['configmap', 'dr-syncer-agent-fence', '-n', SYSTEM_NAMESPACE, '--ignore-not-found'];
    await source.run(['delete', 'replications.dr-syncer.io', '-n', SYSTEM_NAMESPACE, '-l', 'e2e=disaster']);
    await remote.run(['delete', ...fence]);
    const gone = ['delete', 'ns', NAMESPACE, '--ignore-not-found', '--wait=false'];
    await Promise.all([source, remote].map((at) => at.run(gone)));
  }, 400_000);

  test('When the whole source is killed and it is failed over Then it serves with all that the last sync had', async () => {
    const synced = await written(source, clusters.source, 2);
    expect(await sync(source, NAMESPACE, 'last')).toMatchObject({ phase: 'Completed' });
    const ended = Date.now();
    // What nobody will see again until the source is back.
    const atSource = await written(source, clusters.source, 2);
    for (const { name } of clusters.source.nodes) await clusters.source.killNode(name);
    await expect(source.run(['get', 'ns'], { timeoutMs: 20_000 })).rejects.toThrow();

    const { code, out, err } = await cli(['failover', ...alone, '--yes', '--timeout', '150']);

    expect({ code, err }).toMatchObject({ code: 0 });
    // The state that it has is that of when the last sync began, which was shortly before it ended.
    const rpo = Number(/RPO reached +(?:(\d+)m)?(\d+)/.exec(out)?.[2]);
    expect(rpo).toBeLessThanOrEqual((Date.now() - ended) / 1000 + 60);
    const lines = await written(remote, clusters.remote, 2);
    expect(lines.slice(0, synced.length)).toEqual(synced);
    const kept = lines.filter(isOf(clusters.source));
    expect(kept).toEqual(atSource.slice(0, kept.length));
  }, 400_000);

  test('When the source returns and syncs on Then nothing at the remote is overwritten', async () => {
    await clusters.source.startNode();
    await rolledOut(source, SYSTEM_NAMESPACE, 'deployment/dr-syncer-controller', 240_000);
    // It does not know that it was replaced, and runs.
    await written(source, clusters.source, 1);
    const before = await written(remote, clusters.remote, 1);

    const { conditions } = await sync(source, NAMESPACE, 'returned');

    expect(conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'False', reason: 'StandbyActive' }),
    );
    const after = await written(remote, clusters.remote, 1);
    expect(after.slice(0, before.length)).toEqual(before);
  }, 400_000);

  test('When the remote can not reach the source Then it is said before anything is stopped', async () => {
    await firewall('-I');

    const { code, err } = await cli(['failback', ...named, '--yes', '--stop-source']);

    await firewall('-D');
    expect(code).toBe(1);
    expect(err).toMatch(/SourceUnreachable.*port 2222.*open it in firewalls/s);
    expect([await replicas(source), await replicas(remote)]).toEqual(['1 1', '1 1']);
  }, 200_000);

  test('When it is brought back Then what only the source has is shown, and nothing that the remote has is lost', async () => {
    const looked = await cli(['failback', ...named, '--dry-run', '--stop-source']);
    expect({ code: looked.code, err: looked.err }).toMatchObject({ code: 0 });
    expect(looked.out).toMatch(/conflict: volume data: up to [12] files and directories/);
    expect(looked.out).toMatch(/stops at the source: Deployment store/);
    served = await written(remote, clusters.remote, 1);

    const { code, err } = await cli(['failback', ...named, '--yes', '--stop-source', '--timeout', '150']);

    expect({ code, err }).toMatchObject({ code: 0 });
    const lines = await written(source, clusters.source, 2);
    expect(lines.slice(0, served.length)).toEqual(served);
    expect([await replicas(source), await replicas(remote)]).toEqual(['1 1', '0 0']);
    expect(await sync(source, NAMESPACE, 'follows')).toMatchObject({ phase: 'Completed' });
  }, 400_000);
});
