import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { connectRemote, install, rolledOut } from '../demo/install.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { cli, cliProgram } from '../support/cli.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
import { replicationOf, sync } from './support/replication.js';

interface Listed {
  readonly items: readonly {
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
    readonly spec?: Readonly<Record<string, unknown>>;
    readonly data?: Readonly<Record<string, string>>;
  }[];
}

interface Report {
  readonly namespace: string;
  readonly result: string;
  readonly problems: readonly string[];
  readonly rpoSeconds: number;
  readonly rtoSeconds: number;
  readonly steps: readonly { readonly name: string }[];
  readonly volumes: readonly { readonly name: string; readonly phase: string }[];
  readonly started: readonly string[];
  readonly leftOut: readonly { readonly kind: string; readonly name: string }[];
  readonly check?: { readonly exitCode: number };
  readonly removed: boolean;
}

const NAMESPACE = 'e2e-drill';
const ROOT = 'require("node:fs")';
/** Appends a line a second, and serves nothing: what it does is seen in its volume. */
const WRITER = `setInterval(() => ${ROOT}.appendFileSync('/data/log', 'line ' + Date.now() + ' ' + process.env.POD_NAMESPACE + '\\n'), 1000)`;
const APPLICATION_KINDS = [
  ...['configmaps', 'secrets', 'services', 'serviceaccounts', 'persistentvolumeclaims'],
  ...[
    'deployments.apps',
    'cronjobs.batch',
    'ingresses.networking.k8s.io',
    'networkpolicies.networking.k8s.io',
  ],
  ...['horizontalpodautoscalers.autoscaling', 'roles.rbac.authorization.k8s.io'],
];

interface Observed {
  readonly metadata: {
    readonly resourceVersion?: string;
    readonly managedFields?: readonly { readonly subresource?: string }[];
  };
  readonly status?: unknown;
}

function withoutStatus(object: Observed): unknown {
  const { managedFields = [] } = object.metadata;
  const managers = managedFields.filter((one) => one.subresource !== 'status');
  const metadata = { ...object.metadata, resourceVersion: undefined, managedFields: managers };
  return { ...object, metadata, status: undefined };
}

describe('Given an application, and its standby that is synced', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;
  const labels = { e2e: 'drill' };
  const both = ['--kubeconfig', settings.sourceKubeconfig, '--remote-kubeconfig', settings.remoteKubeconfig];
  const named = ['drill', NAMESPACE, '-n', SYSTEM_NAMESPACE, ...both, '--yes'];
  const at = ['-n', NAMESPACE];

  const drills = async (): Promise<string[]> =>
    (await remote.json<Listed>(['get', 'ns', '-l', `dr-syncer.io/drill-of=${NAMESPACE}`])).items.map(
      ({ metadata }) => metadata.name,
    );
  /** Everything that a person would call the standby, with whoever owns which field; not what controllers observe of it. */
  const manifests = async (): Promise<string> => {
    const { items } = await remote.json<{ items: Observed[] }>([
      ...['get', APPLICATION_KINDS.join(','), ...at, '--show-managed-fields'],
    ]);
    return JSON.stringify(items.map(withoutStatus), undefined, 1);
  };
  const volumes = async (): Promise<string> =>
    remote.run([
      ...['get', 'pvc', ...at, '-o'],
      'jsonpath={range .items[*]}{.metadata.name}={.spec.volumeName}@{.metadata.uid}{"\\n"}{end}',
    ]);

  /** kubectl keeps what it has discovered there. */
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'dr-syncer-home-'));
    await install(context);
    await connectRemote(context);
    const object = (apiVersion: string, kind: string, name: string, more: object = {}) => ({
      ...{ apiVersion, kind, metadata: { name, namespace: NAMESPACE } },
      ...more,
    });
    const security = {
      ...{ runAsNonRoot: true, runAsUser: 2000, runAsGroup: 2000, fsGroup: 2000 },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const pod = (container: object, more: object = {}) => ({
      metadata: { labels: { app: 'writer' } },
      spec: {
        ...{ securityContext: security, terminationGracePeriodSeconds: 1 },
        containers: [{ name: 'main', image: settings.image, ...container }],
        ...more,
      },
    });
    await source.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } },
      object('v1', 'ConfigMap', 'settings', { data: { colour: 'green' } }),
      object('v1', 'Secret', 'password', { stringData: { password: 'x' } }),
      object('v1', 'PersistentVolumeClaim', 'data', {
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: settings.sourceStorageClass,
          resources: { requests: { storage: '1Gi' } },
        },
      }),
      object('v1', 'Service', 'writer', {
        spec: { type: 'LoadBalancer', selector: { app: 'writer' }, ports: [{ port: 80 }] },
      }),
      object('networking.k8s.io/v1', 'Ingress', 'writer', {
        spec: { defaultBackend: { service: { name: 'writer', port: { number: 80 } } } },
      }),
      object('autoscaling/v2', 'HorizontalPodAutoscaler', 'writer', {
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'writer' },
          ...{ minReplicas: 1, maxReplicas: 3 },
        },
      }),
      object('batch/v1', 'CronJob', 'mail', {
        spec: {
          schedule: '* * * * *',
          jobTemplate: {
            spec: {
              template: { spec: { ...pod({ command: ['true'] }).spec, restartPolicy: 'Never' } },
            },
          },
        },
      }),
      object('apps/v1', 'Deployment', 'writer', {
        spec: {
          ...{ replicas: 1, strategy: { type: 'Recreate' }, selector: { matchLabels: { app: 'writer' } } },
          template: pod(
            {
              command: ['node', '-e', WRITER],
              env: [{ name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }],
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
            },
            { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
          ),
        },
      }),
    ]);
    await rolledOut(source, NAMESPACE, 'deployment/writer', 120_000);
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
    await rm(home, { recursive: true, force: true });
    await source.run(['delete', 'replications.dr-syncer.io', '-n', SYSTEM_NAMESPACE, '-l', 'e2e=drill']);
    const gone = ['delete', 'ns', '--ignore-not-found', '--wait=false'];
    await Promise.all([
      source.run([...gone, NAMESPACE]),
      remote.run([...gone, NAMESPACE, ...(await drills())]),
    ]);
  }, 120_000);

  test('When it is only looked at Then it says what would be copied, and makes nothing', async () => {
    const { code, out } = await cli([...named, '--dry-run']);

    expect({ code, drills: await drills() }).toEqual({ code: 0, drills: [] });
    expect(out).toMatch(/volumes, .*: data 1Gi/);
    expect(out).toMatch(/Ingress +writer +lets traffic in or out/);
  }, 60_000);

  test('When a drill is held Then the copy runs apart with the data, and the standby syncs on, as it was', async () => {
    const [before, claims] = [await manifests(), await volumes()];
    // In the namespace of the drill without being told so: the check is given a kubeconfig that says it.
    const look = 'kubectl exec deployment/writer -- cat /data/log && echo looked && sleep 12';
    const held = cli([...named, '-o', 'json', '--timeout', '120', '--', 'sh', '-c', look], {
      env: { HOME: home },
    });
    const drill = await eventually(
      'the copy to be up',
      async () => {
        const [name] = await drills();
        if (name === undefined) return undefined;
        const path = ['get', 'deployment', 'writer', '-n', name, '--ignore-not-found'];
        const ready = await remote.run([...path, '-o', 'jsonpath={.status.readyReplicas}']);
        return ready === '1' ? name : undefined;
      },
      180_000,
    );
    // The standby is as it was, while its copy runs beside it.
    expect(await manifests()).toBe(before);
    const inside = await remote.json<Listed>([
      ...['get', 'services,cronjobs.batch,ingresses.networking.k8s.io,networkpolicies.networking.k8s.io'],
      ...['-n', drill],
    ]);
    const found = (kind: string) => inside.items.filter((one) => one.kind === kind);
    expect(found('Service').map(({ spec }) => spec?.['type'])).toEqual(['ClusterIP']);
    expect(found('CronJob').map(({ spec }) => spec?.['suspend'])).toEqual([true]);
    expect(found('Ingress')).toEqual([]);
    expect(found('NetworkPolicy').map(({ metadata }) => metadata.name)).toEqual(['dr-syncer-drill']);
    expect(
      inside.items.flatMap(({ metadata }) => metadata.labels?.['dr-syncer.io/managed-by'] ?? []),
    ).toEqual([]);

    // A sync in the middle of it arrives in the standby, and not in the copy.
    await source.run(['patch', 'configmap/settings', ...at, '-p', '{"data":{"colour":"red"}}']);
    expect(await sync(source, NAMESPACE, 'during-drill')).toMatchObject({ phase: 'Completed' });
    const colour = async (namespace: string) =>
      remote.run(['get', 'configmap', 'settings', '-n', namespace, '-o', 'jsonpath={.data.colour}']);
    expect([await colour(NAMESPACE), await colour(drill)]).toEqual(['red', 'green']);

    const { code, out, err } = await held;
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toMatch(new RegExp(`line \\d+ ${NAMESPACE}\\n`));
    expect(err).toContain('looked');
    const report = JSON.parse(out) as Report;
    expect(report).toMatchObject({
      ...{ namespace: drill, result: 'Passed', problems: [], removed: true, check: { exitCode: 0 } },
      volumes: [{ name: 'data', phase: 'Succeeded' }],
      started: ['Deployment writer'],
    });
    expect(report.steps.map(({ name }) => name)).toEqual([
      ...['prepare', 'copy volumes', 'create objects', 'start', 'check', 'remove'],
    ]);
    expect(report.rpoSeconds).toBeGreaterThan(0);
    expect(report.leftOut.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      ...['HorizontalPodAutoscaler writer', 'Ingress writer', 'CronJob mail'],
    ]);
    expect({ drills: await drills(), claims: await volumes() }).toEqual({ drills: [], claims });
  }, 300_000);

  test('When a drill is killed Then what it has left is removed by the next one, which fails as its check does', async () => {
    const child = spawn(process.execPath, [cliProgram(), ...named], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (/volume data: /.test(said)) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('exit', resolve));
    const [left] = await drills();
    expect(left).toBeDefined();

    const { code, out, err } = await cli([...named, '--timeout', '120', '--', 'false']);

    expect({ code, err }).toMatchObject({ code: 1 });
    expect(err).toContain(`removed namespace ${left ?? ''}`);
    expect(err).toContain('the check ended with 1');
    expect(out).toMatch(/result +Failed/);
    expect(await drills()).toEqual([]);
  }, 300_000);

  test('When the person has had enough Then nothing is left', async () => {
    const child = spawn(process.execPath, [cliProgram(), ...named], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      if (!said.includes('made namespace') && chunk.toString().includes('made namespace'))
        child.kill('SIGINT');
      said += chunk.toString();
    });
    const code = await new Promise((resolve) => child.once('exit', resolve));

    expect({ code, drills: await drills() }).toEqual({ code: 130, drills: [] });
    expect(said).toContain('removed namespace');
    expect(await sync(source, NAMESPACE, 'after-drills')).toMatchObject({ phase: 'Completed' });
  }, 200_000);
});
