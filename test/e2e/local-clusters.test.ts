import { readFileSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ensureImages } from '../images/images.js';
import { importImages } from '../images/import.js';
import { fullClusters, type LocalTestCluster, type TestClusters } from '../cluster/index.js';
import { waitFor } from '../cluster/process/wait.js';
import { readSettings } from '../cluster/settings.js';

// What demo and tests take for granted. If one of these fails, look here first.

const namespace = 'cluster-check';
const report = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

function podWithVolume(storageClass: string): string {
  return `
apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data, namespace: ${namespace} }
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ${storageClass}
  resources: { requests: { storage: 1Gi } }
---
apiVersion: v1
kind: Pod
metadata: { name: user, namespace: ${namespace} }
spec:
  terminationGracePeriodSeconds: 0
  securityContext: { runAsUser: 1234, runAsGroup: 1234, fsGroup: 2345 }
  containers:
    - name: user
      image: localhost/dr-syncer-demo:dev
      imagePullPolicy: IfNotPresent
      command: [sh, -c, 'echo hello > /data/file; exec sleep infinity']
      volumeMounts: [{ name: data, mountPath: /data }]
  volumes: [{ name: data, persistentVolumeClaim: { claimName: data } }]
`;
}

// Answers on a hostPort with the address that it sees, and watches what kubelet mounts.
const listener = `
apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
apiVersion: v1
kind: Pod
metadata: { name: listener, namespace: ${namespace} }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: listener
      image: localhost/dr-syncer-demo:dev
      imagePullPolicy: IfNotPresent
      securityContext: { runAsUser: 0 } # directories of pods are closed to others
      command: [node, -e, "require('net').createServer((s) => s.end(s.remoteAddress)).listen(2999)"]
      ports: [{ containerPort: 2999, hostPort: 2999 }]
      volumeMounts: [{ name: pods, mountPath: /pods, mountPropagation: HostToContainer }]
  volumes: [{ name: pods, hostPath: { path: /var/lib/kubelet/pods } }]
`;

const connect = `const s = require('net').connect(2999, process.argv[1]); s.on('data', (d) => console.log(String(d)))`;
const ready = ['wait', '--for=condition=Ready', '--timeout=90s', `--namespace=${namespace}`];

describe('the two local clusters', () => {
  let clusters: TestClusters<LocalTestCluster>;

  beforeAll(async () => {
    clusters = await fullClusters();
    await importImages(clusters, await ensureImages(readSettings(), report, ['pause', 'demo']), report);
    const { source, remote } = clusters;
    for (const cluster of [source, remote]) {
      await cluster.kubectl(['delete', 'namespace', namespace, '--ignore-not-found']);
    }
    // The listener runs before the volume of the other pod is mounted: only propagation can show it.
    await remote.kubectl(['apply', '-f', '-'], { input: listener });
    await remote.kubectl([...ready, 'pod/listener']);
    await source.kubectl(['apply', '-f', '-'], { input: podWithVolume(source.storageClass) });
    await remote.kubectl(['apply', '-f', '-'], { input: podWithVolume(remote.storageClass) });
    await Promise.all([source, remote].map((cluster) => cluster.kubectl([...ready, 'pod/user'])));
  }, 600_000);

  afterAll(async () => {
    for (const cluster of [clusters.source, clusters.remote]) {
      await cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']);
    }
  });

  it('give a volume the fsGroup of its pod', async () => {
    const shown = await clusters.source.kubectl([
      ...['exec', 'user', `--namespace=${namespace}`, '--', 'stat', '-c', '%u %g %A', '/data', '/data/file'],
    ]);
    expect(shown.trim().split('\n')).toEqual(['0 2345 drwxrwsr-x', '1234 2345 -rw-r--r--']);
  });

  it('show a volume that is mounted later to a pod with HostToContainer', async () => {
    const uid = await clusters.remote.kubectl([
      ...['get', 'pod', 'user', `--namespace=${namespace}`, '-o', 'jsonpath={.metadata.uid}'],
    ]);
    const file = `/pods/${uid}/volumes/kubernetes.io~local-volume/*/file`;
    const content = await clusters.remote.kubectl([
      ...['exec', 'listener', `--namespace=${namespace}`, '--', 'sh', '-c', `cat ${file}`],
    ]);
    expect(content).toBe('hello\n');
  });

  it('let a pod reach a hostPort of the other cluster, with its node as the source', async () => {
    const [node] = clusters.remote.nodes;
    const seen = await clusters.source.kubectl([
      ...['exec', 'user', `--namespace=${namespace}`, '--', 'node', '-e', connect, node?.address ?? ''],
    ]);
    expect(seen.trim()).toBe(`::ffff:${clusters.source.nodes[0]?.address ?? ''}`);
  });

  it('show the files of a node to the host', () => {
    const pods = clusters.remote.nodes[0]?.rootOf('/var/lib/kubelet/pods') ?? '';
    expect(readdirSync(pods).length).toBeGreaterThan(0);
  });

  it('write what is asked of an API server to its audit log, but not what the control plane asks', () => {
    const lines = readFileSync(clusters.source.auditLogPath, 'utf8').trim().split('\n').slice(-500);
    const users = lines.map((line) => (JSON.parse(line) as { user: { username: string } }).user.username);
    expect(users).toContain('admin');
    expect(users).not.toContain('system:kube-scheduler');
  });

  it('give volumes back once their claims are gone', async () => {
    const { remote } = clusters;
    await remote.kubectl(['delete', 'pod/user', 'pvc/data', `--namespace=${namespace}`]);
    await waitFor('a pool without released volumes', async () => {
      const phases = await remote.kubectl(['get', 'pv', '-o', 'jsonpath={.items[*].status.phase}']);
      return /Released|Failed/.test(phases) ? undefined : true;
    });
  }, 90_000);
});
