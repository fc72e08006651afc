import type { VolumeStatus } from '@dr-syncer/api';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { install, rolledOut } from '../demo/install.js';
import type { Kubectl, KubeObject } from '../demo/kubectl.js';
import { differencesOf, normalise } from '../demo/normalise.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import {
  applicationObjects,
  cacheDefinition,
  CRD,
  HOST,
  INGRESS_CLASS,
  ingressClass,
} from './support/application/objects.js';
import { httpRequest } from './support/application/programs.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
import { connect, replicationOf, sync } from './support/replication.js';
import { python } from './support/volume-pod.js';

const NAMESPACE = 'e2e-application';
const labels = { e2e: 'application' };
const START_MS = 180_000;
const original = 'dr-syncer.io/original-replicas';

interface Pods {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

describe('Given an application with a bit of everything', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;
  const place = ['-n', NAMESPACE];
  const options = {
    ...{ namespace: NAMESPACE, image: settings.image, storageClass: settings.sourceStorageClass },
    labels,
  };
  const objects = applicationObjects(options);
  const names = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);

  /**
   * Through the Service, as another pod sees it. A node's proxy learns of ready pods some time after the workload is
   * rolled out, and refuses until then.
   */
  const page = (at: Kubectl): Promise<string> =>
    eventually('the Service answers', () =>
      python(
        ...([at, NAMESPACE, 'db-0'] as const),
        httpRequest('GET', "os.environ['WEB_SERVICE_HOST']", "os.environ['WEB_SERVICE_PORT']"),
      ).catch(() => undefined),
    );
  const write = (at: Kubectl, text: string): Promise<string> =>
    python(
      ...([at, NAMESPACE, 'db-0'] as const),
      httpRequest('PUT', "os.environ['WEB_SERVICE_HOST']", "os.environ['WEB_SERVICE_PORT']", text),
    );
  const up = async (at: Kubectl): Promise<void> => {
    for (const workload of ['statefulset/db', 'deployment/web']) {
      await rolledOut(at, NAMESPACE, workload, START_MS);
    }
  };
  const get = (at: Kubectl, what: string): Promise<KubeObject> =>
    at.json<KubeObject>(['get', what, ...place]);
  const podsOf = async (at: Kubectl): Promise<string[]> => {
    const { items } = await at.json<Pods>(['get', 'pods', ...place, '-l', 'app in (web, db)']);
    return items.map(({ metadata }) => metadata.name);
  };

  /** As the guide says. */
  const startByHand = async (): Promise<void> => {
    await remote.run(['annotate', 'namespace', NAMESPACE, 'dr-syncer.io/active=true']);
    for (const what of ['statefulset/db', 'deployment/web', `${CRD}/sessions`]) {
      const replicas = (await get(remote, what)).metadata.annotations?.[original];
      await remote.run(['scale', what, ...place, `--replicas=${replicas ?? '?'}`]);
    }
    await remote.run(['patch', 'cronjob/report', ...place, '-p', '{"spec":{"suspend":false}}']);
    await up(remote);
  };

  beforeAll(async () => {
    await install(context);
    await connect(context, NAMESPACE, labels);
    await remote.apply([ingressClass(options)]);
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } };
    await source.apply([namespace, cacheDefinition(options)]);
    await source.run(['wait', '--for=condition=Established', `crd/${CRD}`, '--timeout=60s']);
    await source.apply(objects);
    // The database has no text yet, and the front is up only with one.
    await rolledOut(source, NAMESPACE, 'statefulset/db', START_MS);
    const set = `import socket
with socket.create_connection(('127.0.0.1', 5432)) as connection:
    connection.sendall(b'set first\\n')
    print(connection.makefile('r').read())
`;
    for (const pod of ['db-0', 'db-1']) await python(source, NAMESPACE, pod, set);
    await up(source);
    await source.apply([
      replicationOf(NAMESPACE, labels, {
        destinationCluster: NAMESPACE,
        sourceNamespace: NAMESPACE,
        clusterResources: { customResourceDefinitions: true },
        ingressConfig: {
          hostMappings: [{ suffix: HOST, replacement: `dr.${HOST}` }],
          classMapping: { nginx: INGRESS_CLASS },
        },
        pvcConfig: { storageClassMapping: { [settings.sourceStorageClass]: settings.remoteStorageClass } },
      }),
    ]);
  }, 600_000);

  afterAll(async () => {
    const ours = 'replications.dr-syncer.io,remoteclusters.dr-syncer.io,secrets';
    const selected = ['-l', 'e2e=application', '--ignore-not-found'];
    await source.run(['delete', ours, '-n', SYSTEM_NAMESPACE, ...selected]);
    const around = 'namespaces,customresourcedefinitions,ingressclasses';
    await Promise.all(
      [source, remote].map(async (at) => {
        // What DR-Syncer made at the remote does not have the label.
        await at.run(['delete', around, ...selected, '--wait=false']);
        await at.run(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false']);
        await at.run(['delete', 'crd', CRD, '--ignore-not-found', '--wait=false']);
      }),
    );
  }, 180_000);

  test('When it is synced Then all of it is there, its definitions too', async () => {
    const { phase, volumes, conditions, resourceStatus } = await sync<VolumeStatus>(
      ...([source, NAMESPACE, 'first'] as const),
    );

    const failed = resourceStatus.flatMap(({ failures = [] }) => failures);
    expect({ phase, failed, volumes: volumes.map(({ name, phase: one }) => [name, one]) }).toEqual({
      ...{ phase: 'Completed', failed: [] },
      volumes: [
        ['data-db-0', 'Succeeded'],
        ['data-db-1', 'Succeeded'],
      ],
    });
    expect(conditions).toContainEqual(
      expect.objectContaining({ type: 'ClusterResourcesReady', status: 'True' }),
    );
  }, 300_000);

  test('Then each object is as in the source, but for what was asked to differ', async () => {
    const mapping = { [settings.sourceStorageClass]: settings.remoteStorageClass };
    const [left, right] = await Promise.all([source, remote].map((at) => at.findAll(names, NAMESPACE)));

    const differences = names.flatMap((name) => {
      const [a, b] = [left?.get(name), right?.get(name)];
      if (a === undefined || b === undefined) return [`${name} is missing`];
      return differencesOf(normalise(a, mapping), normalise(b, mapping)).map(
        (one) => `${name} ${one.path}: ${one.left ?? '-'} -> ${one.right ?? '-'}`,
      );
    });

    expect(differences.sort()).toEqual([
      'Cache/pages .spec.nodes: - -> {"size":0}',
      'Cache/sessions .spec.nodes.size: 3 -> 0',
      'CronJob/report .spec.suspend: false -> true',
      `Ingress/web .spec.ingressClassName: "nginx" -> "${INGRESS_CLASS}"`,
      `Ingress/web .spec.rules[0].host: "www.${HOST}" -> "www.dr.${HOST}"`,
      `Ingress/web .spec.tls[0].hosts[0]: "www.${HOST}" -> "www.dr.${HOST}"`,
    ]);
  });

  test('Then nothing runs, and each object says what it had', async () => {
    const kept = await Promise.all(
      ['statefulset/db', 'deployment/web', `${CRD}/sessions`, `${CRD}/pages`].map(async (what) => {
        const { metadata } = await get(remote, what);
        return [what, metadata.annotations?.[original]];
      }),
    );

    expect(Object.fromEntries(kept)).toEqual({
      'statefulset/db': '2',
      'deployment/web': '2',
      [`${CRD}/sessions`]: '3',
      [`${CRD}/pages`]: 'unset',
    });
    expect(await podsOf(remote)).toEqual([]);
    expect(await get(remote, 'cronjob/report')).toMatchObject({
      spec: { suspend: true },
      metadata: { annotations: { 'dr-syncer.io/original-suspend': 'false' } },
    });
  });

  test('When it is started by hand Then it serves over its Services with the data of the source', async () => {
    await startByHand();

    expect(await page(remote)).toBe('Hello first');
    const { spec } = (await get(remote, 'service/web')) as unknown as {
      spec: { ports: [{ nodePort: number }] };
    };
    const [web = ''] = (await podsOf(remote)).filter((name) => name.startsWith('web-'));
    const nodePort = httpRequest('GET', "os.environ['NODE']", `'${spec.ports[0].nodePort}'`);
    expect(await python(remote, NAMESPACE, web, nodePort)).toBe('Hello first');
    expect(await get(remote, `${CRD}/sessions`)).toMatchObject({ spec: { nodes: { size: 3 } } });
  }, 300_000);

  test('Then what belongs to it works: rights, jobs, autoscaler, budget', async () => {
    const account = `--as=system:serviceaccount:${NAMESPACE}:web`;
    const may = (what: string): Promise<boolean> =>
      remote.run(['auth', 'can-i', 'get', what, ...place, account]).then(
        () => true,
        () => false,
      );
    expect(await may('configmaps/settings')).toBe(true);
    expect(await may('configmaps/programs')).toBe(false);

    await remote.run(['create', 'job', 'report-now', '--from=cronjob/report', ...place]);
    const wait = ['wait', '--for=condition=Complete', 'job/report-now', ...place, '--timeout=120s'];
    await remote.run(wait, { timeoutMs: 130_000 });
    expect(await remote.run(['logs', 'job/report-now', ...place])).toBe('report 10 first\n');

    const budget = await eventually('the budget counts the pods', async () => {
      const found = (await get(remote, 'pdb/web')) as unknown as { status: { currentHealthy: number } };
      return found.status.currentHealthy === 2 ? found : undefined;
    });
    expect(budget).toMatchObject({ status: { expectedPods: 2, disruptionsAllowed: 1 } });
    await eventually('the autoscaler finds its workload', async () => {
      const { status } = (await get(remote, 'hpa/web')) as unknown as {
        status: { currentReplicas?: number };
      };
      return status.currentReplicas === 2 ? true : undefined;
    });
  }, 300_000);

  test('When it has written Then that is kept over restarts, and no sync of the source overwrites it', async () => {
    expect(await write(remote, 'second')).toBe('second');
    await remote.run(['delete', 'pod', 'db-0', ...place, '--wait=true'], { timeoutMs: 120_000 });
    await up(remote);

    const { conditions } = await sync<VolumeStatus>(source, NAMESPACE, 'while-active');

    expect(conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'False', reason: 'StandbyActive' }),
    );
    expect(await page(remote)).toBe('Hello second');
    expect((await podsOf(remote)).length).toBe(4);
  }, 300_000);

  test('When it is given back Then the next sync brings it to rest with the state of the source', async () => {
    expect(await write(source, 'third')).toBe('third');
    await remote.run(['annotate', 'namespace', NAMESPACE, 'dr-syncer.io/active-']);

    const { phase, volumes } = await sync<VolumeStatus>(source, NAMESPACE, 'given-back');

    expect({ phase, volumes: volumes.map((one) => [one.phase, one.message]) }).toEqual({
      phase: 'Completed',
      volumes: [
        ['Succeeded', undefined],
        ['Succeeded', undefined],
      ],
    });
    await eventually('nothing runs', async () => ((await podsOf(remote)).length === 0 ? true : undefined));
    expect(await get(remote, 'cronjob/report')).toMatchObject({ spec: { suspend: true } });
    expect(await page(source)).toBe('Hello third');
    await startByHand();
    expect(await page(remote)).toBe('Hello third');
  }, 600_000);
});
