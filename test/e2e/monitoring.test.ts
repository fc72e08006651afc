import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

import { type Dashboard, queriesOf } from '../monitoring/dashboard.js';
import { connectRemote, install } from '../demo/install.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
import { type PortForward, portForward } from './support/port-forward.js';
import { Prometheus } from './support/prometheus.js';

const run = promisify(execFile);
const monitoring = join(import.meta.dirname, '../../manifests/components/monitoring');
const rulesFile = join(monitoring, 'rules.yaml');
/** Panels that need something to go wrong, or a volume. */
const quiet = [
  ...['Held by a guard', 'Age of copies', 'Rate of transfers', 'Progress', 'Transfers by result'],
  ...['Wait for a turn', 'Rotations', 'Unauthorized attempts', 'Refused after login', 'Kubeconfigs end in'],
  'Conditions that are not as they should be',
];

/** The same alerts in seconds: nobody waits for five minutes twice. */
function hurried(rules: string): string {
  return rules.replace(/for: \d+m/g, 'for: 2s').replace(/\[\d+m\]/g, '[15s]');
}

describe('Given a Prometheus that sees the controller alone', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;
  const NAMESPACE = 'e2e-monitoring';
  let dir = '';
  let forward: PortForward;
  let prometheus: Prometheus;

  beforeAll(async () => {
    await install(context);
    await connectRemote(context);
    dir = await mkdtemp(join(tmpdir(), 'dr-syncer-e2e-'));
    const pod = 'deployment/dr-syncer-controller';
    forward = await portForward(settings.sourceKubeconfig, SYSTEM_NAMESPACE, pod, 8080);
    prometheus = await Prometheus.start({
      targets: [forward.address],
      rules: hurried(await readFile(rulesFile, 'utf8')),
    });
  }, 300_000);

  afterAll(async () => {
    await source.run([
      ...['delete', 'replications.dr-syncer.io', NAMESPACE, '-n', SYSTEM_NAMESPACE, '--ignore-not-found'],
    ]);
    for (const at of [source, remote]) {
      await at.run(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false']);
    }
    await prometheus.stop();
    await forward.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const alert = async (name: string) =>
    (await prometheus.alerts()).find(({ labels }) => labels['alertname'] === name);

  test('Then it sees the agents of both clusters', async () => {
    const clusters = await eventually('agents of both clusters', async () => {
      const up = await prometheus.query('dr_syncer_agent_up == 1');
      const found = new Set(up.map(({ metric }) => metric['cluster']));
      return found.size >= 2 ? found : undefined;
    });

    expect(clusters).toContain('source');
  });

  test('Then every metric that an alert is made of is there, or counts what has not happened yet', async () => {
    const text = await readFile(rulesFile, 'utf8');
    const { groups } = parse(text) as { groups: { rules: { expr: string }[] }[] };
    const used = groups.flatMap(({ rules }) =>
      rules.flatMap(({ expr }) => expr.match(/dr_syncer_\w+/g) ?? []),
    );
    const metrics = await (await fetch(`http://${forward.address}/metrics`)).text();

    for (const name of new Set(used)) expect(metrics).toContain(`# TYPE ${name} `);
  });

  test('When a namespace is replicated Then every panel of the dashboard that can shows something', async () => {
    const metadata = { name: NAMESPACE };
    await source.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: NAMESPACE } },
      {
        ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
        metadata: { name: NAMESPACE, namespace: SYSTEM_NAMESPACE },
        spec: {
          ...{ destinationCluster: 'standby', sourceNamespace: NAMESPACE },
          sync: { mode: 'Scheduled', schedule: '* * * * *' },
        },
      },
    ]);
    await eventually(
      'an age by the target',
      async () => (await prometheus.query('dr_syncer_rpo_ratio'))[0],
      120_000,
    );
    const text = await readFile(join(monitoring, 'dashboard.json'), 'utf8');
    const queries = queriesOf(JSON.parse(text) as Dashboard, '30s');
    const silentNow = async () => {
      const without = new Set<string>();
      for (const { panel, expr } of queries) {
        if ((await prometheus.query(expr)).length === 0) without.add(panel);
      }
      return [...without].filter((panel) => !quiet.includes(panel));
    };
    let silent = await silentNow();
    for (const deadline = Date.now() + 60_000; silent.length > 0 && Date.now() < deadline;) {
      await sleep(2_000);
      silent = await silentNow();
    }

    expect(silent).toEqual([]);
  }, 240_000);

  test('When somebody tries keys at an agent Then the alert fires, and clears when they stop', async () => {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'key')]);
    const wanted = '{.items[0].status.addresses[?(@.type=="InternalIP")].address}';
    const address = (await remote.run(['get', 'nodes', '-o', `jsonpath=${wanted}`])).trim();
    const attempt = () =>
      run('ssh', [
        ...[
          '-F',
          '/dev/null',
          '-i',
          join(dir, 'key'),
          '-p',
          '2222',
          '-l',
          'drsyncer',
          '-o',
          'IdentitiesOnly=yes',
        ],
        ...['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
        ...[address, 'id'],
      ]).catch(() => undefined);

    const firing = await eventually(
      'DRSyncerUnauthorizedAccess fires',
      async () => {
        await attempt();
        const found = await alert('DRSyncerUnauthorizedAccess');
        return found?.state === 'firing' ? found : undefined;
      },
      60_000,
    );
    expect(firing.labels).toMatchObject({ severity: 'warning', cluster: 'dr-syncer-system/standby' });

    await eventually(
      'DRSyncerUnauthorizedAccess clears',
      async () => ((await alert('DRSyncerUnauthorizedAccess')) === undefined ? true : undefined),
      60_000,
    );
  });
});
