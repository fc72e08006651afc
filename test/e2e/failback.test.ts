import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { connectRemote, install, rolledOut } from '../demo/install.js';
import type { Kubectl } from '../demo/kubectl.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
import { replicationOf, sync } from './support/replication.js';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Deployment {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly replicas: number };
}

const NAMESPACE = 'e2e-failback';
const cli = join(import.meta.dirname, '../../packages/cli/dist/main.js');

/** Writes a line a second, in order, and a last one when it is told to end. */
const WRITER = `
const fs = require('node:fs');
const file = '/data/log';
const before = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\\n') : [];
let count = before.filter((line) => line.startsWith('line ')).length;
const add = (text) => {
  const handle = fs.openSync(file, 'a', 0o600);
  fs.writeSync(handle, text + '\\n');
  fs.fsyncSync(handle);
  fs.closeSync(handle);
};
const timer = setInterval(() => add('line ' + ++count + ' ' + process.env.NODE), 1000);
process.on('SIGTERM', () => {
  clearInterval(timer);
  add('end ' + count + ' ' + process.env.NODE);
  process.exit(0);
});
`;

describe('Given an application that writes a line every second, and its standby', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;
  const labels = { e2e: 'failback' };
  const both = ['--kubeconfig', settings.sourceKubeconfig, '--remote-kubeconfig', settings.remoteKubeconfig];
  const named = [NAMESPACE, '-n', SYSTEM_NAMESPACE, ...both];

  const drSyncer = (...args: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      execFile(process.execPath, [cli, ...args], { timeout: 240_000 }, (err, out, stderr) =>
        resolve({ code: err === null ? 0 : Number(err.code ?? 255), out, err: stderr }),
      );
    });

  /** Runs it and kills it when it says this. */
  const killedAt = (text: string, ...args: string[]): Promise<string> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes(text)) child.kill('SIGKILL');
      });
      child.once('exit', () => resolve(said));
    });

  const deployment = (at: Kubectl, name: string) =>
    at.json<Deployment>(['get', 'deployment', name, '-n', NAMESPACE]);
  const replicas = async (at: Kubectl) =>
    (await Promise.all(['writer', 'front'].map((name) => deployment(at, name)))).map(
      ({ spec }) => spec.replicas,
    );
  const read = async (at: Kubectl): Promise<string[]> =>
    (await at.run(['exec', 'deployment/writer', '-n', NAMESPACE, '--', 'cat', '/data/log']))
      .trim()
      .split('\n');
  const written = async (at: Kubectl, more: number): Promise<string[]> => {
    const before = (await read(at)).length;
    return eventually(`${more} lines at the ${at.cluster}`, async () => {
      const now = await read(at);
      return now.length >= before + more ? now : undefined;
    });
  };
  /** Every line that was ever written is there, once, in order. */
  const expectWhole = (lines: readonly string[]) => {
    const numbers = lines
      .filter((line) => line.startsWith('line '))
      .map((line) => Number(line.split(' ')[1]));
    expect(numbers).toEqual(numbers.map((_number, index) => index + 1));
  };
  const namespace = (at: Kubectl) =>
    at.json<{ metadata: { annotations?: Readonly<Record<string, string>> } }>(['get', 'ns', NAMESPACE]);

  beforeAll(async () => {
    await install(context);
    await connectRemote(context);
    const security = {
      ...{ runAsNonRoot: true, runAsUser: 2000, runAsGroup: 2000, fsGroup: 2000 },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const workload = (name: string, count: number, container: object, pod: object = {}) => ({
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: NAMESPACE } },
      spec: {
        ...{ replicas: count, strategy: { type: 'Recreate' }, selector: { matchLabels: { app: name } } },
        template: {
          metadata: { labels: { app: name } },
          spec: {
            ...{ securityContext: security, terminationGracePeriodSeconds: 5, ...pod },
            containers: [{ name, image: settings.image, ...container }],
          },
        },
      },
    });
    await source.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } },
      {
        ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: NAMESPACE } },
        data: { colour: 'green' },
      },
      {
        ...{
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'data', namespace: NAMESPACE },
        },
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: settings.sourceStorageClass,
          resources: { requests: { storage: '1Gi' } },
        },
      },
      workload(
        'writer',
        1,
        {
          command: ['node', '-e', WRITER],
          env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
        { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
      ),
      workload('front', 2, {
        command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1 & wait $!; done'],
      }),
    ]);
    await rolledOut(source, NAMESPACE, 'deployment/writer', 120_000);
    await rolledOut(source, NAMESPACE, 'deployment/front', 120_000);
    await source.apply([
      replicationOf(NAMESPACE, labels, {
        destinationCluster: 'standby',
        sourceNamespace: NAMESPACE,
        pvcConfig: { storageClassMapping: { [settings.sourceStorageClass]: settings.remoteStorageClass } },
      }),
    ]);
    expect(await sync(source, NAMESPACE, 'before')).toMatchObject({ phase: 'Completed' });
  }, 400_000);

  afterAll(async () => {
    const fence = ['configmap', 'dr-syncer-agent-fence', '-n', SYSTEM_NAMESPACE, '--ignore-not-found'];
    await source.run(['delete', 'replications.dr-syncer.io', '-n', SYSTEM_NAMESPACE, '-l', 'e2e=failback']);
    await remote.run(['delete', ...fence]);
    const gone = ['delete', 'ns', NAMESPACE, '--ignore-not-found', '--wait=false'];
    await Promise.all([source, remote].map((at) => at.run(gone)));
  }, 120_000);

  test('When a planned failover is only looked at Then it says what it would stop and start', async () => {
    const { code, out, err } = await drSyncer('failover', '--planned', '--dry-run', ...named);

    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/stops in e2e-failback on .*:\n(.*\n)*? {2}Deployment writer/);
    expect(await replicas(source)).toEqual([1, 2]);
  }, 60_000);

  test('When it is interrupted and given up Then the source runs as it did', async () => {
    await killedAt('stopped Deployment writer', 'failover', '--planned', '--yes', ...named);
    expect((await deployment(source, 'writer')).spec.replicas).toBe(0);

    const { code, err } = await drSyncer('failover', '--undo', '--yes', ...named);

    expect({ code, err }).toMatchObject({ code: 0 });
    expect(await replicas(source)).toEqual([1, 2]);
    expect((await namespace(source)).metadata.annotations ?? {}).not.toHaveProperty(['dr-syncer.io/stopped']);
    expect(await replicas(remote)).toEqual([0, 0]);
    expectWhole(await written(source, 2));
  }, 180_000);

  test('When it is interrupted and run again Then the standby serves, and not one line is lost', async () => {
    await killedAt('the source is stopped', 'failover', '--planned', '--yes', ...named);

    const { code, out, err } = await drSyncer('failover', '--planned', '--yes', ...named);

    expect({ code, err }).toMatchObject({ code: 0 });
    expect(out).toMatch(/RPO reached +0 ?s/);
    expect(await replicas(remote)).toEqual([1, 2]);
    const lines = await written(remote, 2);
    expectWhole(lines);
    // What the source wrote last of all, when it was told to end.
    expect(lines.filter((line) => line.startsWith('end '))).toHaveLength(2);
    expect(await replicas(source)).toEqual([0, 0]);
    expect((await deployment(source, 'front')).metadata.annotations).toMatchObject({
      'dr-syncer.io/original-replicas': '2',
    });
  }, 240_000);

  test('When the source syncs on Then nothing at the standby is overwritten', async () => {
    const before = await written(remote, 1);
    const { conditions } = await sync(source, NAMESPACE, 'while-active');

    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Ready', reason: 'StandbyActive' }));
    const after = await written(remote, 1);
    expect(after.slice(0, before.length)).toEqual(before);
  }, 120_000);

  test('When something runs at the source Then it is not brought back', async () => {
    await source.run(['scale', 'deployment/front', '-n', NAMESPACE, '--replicas=1']);

    const { code, err } = await drSyncer('failback', '--yes', ...named);

    expect(code).toBe(1);
    expect(err).toMatch(/still runs Deployment front.*--stop-source/);
    await source.run(['scale', 'deployment/front', '-n', NAMESPACE, '--replicas=0']);
  }, 60_000);

  test('When objects were changed at the standby Then they are shown, and nothing is done', async () => {
    await remote.run(['patch', 'configmap/settings', '-n', NAMESPACE, '-p', '{"data":{"colour":"red"}}']);
    await remote.run(['create', 'configmap', 'extra', '-n', NAMESPACE, '--from-literal=a=b']);

    const { code, out, err } = await drSyncer('failback', '--dry-run', ...named);

    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/ConfigMap +settings +changed +data\.colour by kubectl/);
    expect(out).toMatch(/ConfigMap +extra +new/);
    expect(out).toContain('None of this is written back');
    expect(out).not.toMatch(/Deployment/);
    expect(await replicas(remote)).toEqual([1, 2]);
  }, 60_000);

  test('When it is brought back, interrupted on the way Then nothing that was written meanwhile is lost', async () => {
    const before = await written(remote, 2);
    await killedAt('stopping the standby', 'failback', '--yes', ...named);

    const { code, out, err } = await drSyncer('failback', '--yes', ...named);

    expect({ code, err }).toMatchObject({ code: 0 });
    expect(out).toMatch(/not served for +\d+/);
    expect(await replicas(source)).toEqual([1, 2]);
    const lines = await written(source, 2);
    expectWhole(lines);
    expect(lines.slice(0, before.length)).toEqual(before);
    expect(lines.filter((line) => line.startsWith('end '))).toHaveLength(3);
    expect(await replicas(remote)).toEqual([0, 0]);
    expect((await namespace(remote)).metadata.annotations).not.toHaveProperty(['dr-syncer.io/active']);
    expect((await namespace(source)).metadata.annotations ?? {}).not.toHaveProperty(['dr-syncer.io/stopped']);
    expect(await sync(source, NAMESPACE, 'follows')).toMatchObject({ phase: 'Completed' });
    const { data } = await remote.json<{ data: object }>(['get', 'configmap/settings', '-n', NAMESPACE]);
    expect(data).toEqual({ colour: 'green' });
  }, 300_000);

  test('When there is nothing to bring back Then it says so', async () => {
    expect(await drSyncer('failback', '--yes', ...named)).toMatchObject({
      code: 1,
      err: expect.stringContaining('not active') as unknown,
    });
  }, 60_000);

  test('When the standby was started beside a source that runs on Then bringing it back keeps what the standby has', async () => {
    const at = ['-n', NAMESPACE, '--remote-kubeconfig', settings.remoteKubeconfig];
    expect(await drSyncer('failover', '--yes', ...at)).toMatchObject({ code: 0 });
    const kept = await written(remote, 3);

    const { code, err } = await drSyncer('failback', '--yes', '--stop-source', ...named);

    expect({ code, err }).toMatchObject({ code: 0 });
    const lines = await written(source, 1);
    expectWhole(lines);
    expect(lines.slice(0, kept.length)).toEqual(kept);
    expect(await replicas(remote)).toEqual([0, 0]);
  }, 300_000);
});
