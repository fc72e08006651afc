import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

import { connectRemote, install } from '../demo/install.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { eventually, twoClusters } from './support/clusters.js';
import { type PortForward, portForward } from './support/port-forward.js';
import { Prometheus } from './support/prometheus.js';

const run = promisify(execFile);
const rulesFile = join(import.meta.dirname, '../../manifests/components/monitoring/rules.yaml');

/** The same alerts in seconds: nobody waits for five minutes twice. */
function hurried(rules: string): string {
  return rules.replace(/for: \d+m/g, 'for: 2s').replace(/\[\d+m\]/g, '[15s]');
}

describe('Given a Prometheus that sees the controller alone', () => {
  const context = twoClusters();
  const { remote, settings } = context;
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
