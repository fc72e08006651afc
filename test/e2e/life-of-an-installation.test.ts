import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { rolledOut } from '../demo/install.js';
import type { Kubectl } from '../demo/kubectl.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { cli, type CliOutcome } from '../support/cli.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
import { replicationOf, sync } from './support/replication.js';

const REMOTE = 'operated';
const NAMESPACE = 'e2e-operated';

/** With kubelets, schedulers and controllers, which the tests of each command on an API server alone do without. */
describe('Given two clusters, and nothing but the command line', () => {
  const { source, remote, settings } = twoClusters();
  const both = ['--kubeconfig', settings.sourceKubeconfig, '--remote-kubeconfig', settings.remoteKubeconfig];
  const images = [
    ...['--controller-image', settings.controllerImage],
    ...['--agent-image', settings.agentImage],
  ];
  const there = async (at: Kubectl, ...what: string[]): Promise<string> =>
    (await at.run(['get', ...what, '--ignore-not-found', '-o', 'name'])).trim();
  const uninstall = (): Promise<CliOutcome> =>
    cli(['uninstall', ...both, '--delete-standbys', '--yes', '--timeout', '60s']);
  const gone = async (): Promise<void> => {
    for (const at of [source, remote]) {
      await eventually(
        `${SYSTEM_NAMESPACE} to be gone in the ${at.cluster}`,
        async () => ((await there(at, 'ns', SYSTEM_NAMESPACE)) === '' ? true : undefined),
        120_000,
      );
    }
  };

  beforeAll(async () => {
    // What other tests have left here goes first: they make it anew. Killed ones leave what nobody lets go of.
    await uninstall();
    const kinds = ['replications.dr-syncer.io', 'remoteclusters.dr-syncer.io'];
    for (const kind of kinds) {
      if ((await there(source, 'crd', kind)) === '') continue;
      for (const name of (await there(source, kind, '-n', SYSTEM_NAMESPACE)).split('\n').filter(Boolean)) {
        const free = ['-n', SYSTEM_NAMESPACE, '--type=merge', '-p', '{"metadata":{"finalizers":null}}'];
        await source.run(['patch', name, ...free]);
        await source.run(['delete', name, '-n', SYSTEM_NAMESPACE, '--ignore-not-found', '--wait=false']);
      }
    }
    for (const at of [source, remote]) {
      await at.run(['delete', 'ns', SYSTEM_NAMESPACE, '--ignore-not-found', '--wait=false']);
    }
    await gone();
  }, 400_000);

  afterAll(async () => {
    const gone = ['delete', 'ns', NAMESPACE, '--ignore-not-found', '--wait=false'];
    await Promise.all([source, remote].map((at) => at.run(gone)));
  }, 120_000);

  test('When it is installed Then controller and agents run, and the remote is ready', async () => {
    const { code, err } = await cli([
      ...['install', ...both, '--name', REMOTE, ...images, '--wait', '--timeout', '4m'],
    ]);

    expect({ code, err }).toMatchObject({ code: 0 });
    await rolledOut(source, SYSTEM_NAMESPACE, 'deployment/dr-syncer-controller', 10_000);
    const agents = ['daemonset', 'dr-syncer-agent', '-n', SYSTEM_NAMESPACE];
    for (const at of [source, remote]) expect(await there(at, ...agents)).not.toBe('');
  }, 300_000);

  test('When versions are asked for Then all of them answer, with the same one', async () => {
    const { code, out } = await eventually('versions', async () => {
      const result = await cli(['version', '--kubeconfig', settings.sourceKubeconfig, '-o', 'json']);
      return result.out.includes('"problem"') ? undefined : result;
    });
    const { versions } = JSON.parse(out) as { versions: { component: string; version: string }[] };

    expect(code).toBe(0);
    expect(versions.map(({ component }) => component.split(',')[0])).toEqual(
      expect.arrayContaining(['client', 'controller', 'agent']),
    );
    expect(new Set(versions.map(({ version }) => version)).size).toBe(1);
  }, 120_000);

  test('When the doctor looks Then it finds nothing that is wrong', async () => {
    const { code, out, err } = await cli(['doctor', ...both]);

    expect({ code, out, err }).toMatchObject({ code: 0 });
  }, 120_000);

  test('When it is removed with its standbys Then nothing of it is left at either end, and the source is untouched', async () => {
    await source.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
      {
        ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: NAMESPACE } },
        data: { colour: 'green' },
      },
      replicationOf(NAMESPACE, {}, { destinationCluster: REMOTE, sourceNamespace: NAMESPACE }),
    ]);
    expect(await sync(source, NAMESPACE, 'once')).toMatchObject({ phase: 'Completed' });
    const copy = ['configmap', 'settings', '-n', NAMESPACE];
    expect(await there(remote, ...copy)).toBe('configmap/settings');
    const key = ['secret', `${REMOTE}-ssh-key`, '-n', SYSTEM_NAMESPACE];
    expect(await there(source, ...key)).not.toBe('');
    const { code, err } = await uninstall();
    await gone();

    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toContain('REMOVED with all their objects and DATA');
    expect(await there(remote, ...copy)).toBe('');
    expect(await there(source, ...copy)).toBe('configmap/settings');
    for (const at of [source, remote]) {
      const left = await there(at, 'clusterroles,clusterrolebindings,priorityclasses,crds', '-A');
      expect(left.split('\n').filter((name) => name.includes('dr-syncer'))).toEqual([]);
    }
  }, 400_000);

  test('When a RemoteCluster is deleted Then the key that was made for it goes, and one that somebody brought stays', async () => {
    const { code, err } = await cli([
      ...['install', ...both, '--name', REMOTE, ...images, '--wait', '--timeout', '4m'],
    ]);
    expect({ code, err }).toMatchObject({ code: 0 });
    const at = ['-n', SYSTEM_NAMESPACE];
    const made = ['secret', `${REMOTE}-ssh-key`, ...at];
    const brought = ['secret', 'brought-ssh-key', ...at];
    await source.run(['create', 'secret', 'generic', 'brought-ssh-key', '--from-literal=id_rsa=x', ...at]);

    await source.run(['delete', 'remoteclusters.dr-syncer.io', REMOTE, ...at, '--timeout=120s'], {
      timeoutMs: 130_000,
    });

    await eventually('the key to be gone', async () =>
      (await there(source, ...made)) === '' ? true : undefined,
    );
    expect(await there(source, ...brought)).toBe('secret/brought-ssh-key');
  }, 400_000);
});
