import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type RemoteClusterStatus } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { run } from '../cluster/process/run.js';
import { cli as runCli, type CliOptions, type CliOutcome } from '../support/cli.js';
import { eventually } from '../support/eventually.js';
import { givenRemoteCluster, givenStorageClass, givenVolumePair, SYSTEM } from './support/solo/given.js';
import { remoteClusters, type Solo, startSolo } from './support/solo/solo.js';
import { volumeDir } from './support/solo/volumes.js';

const REMOTE = 'standby';
const NAME = 'operate';

describe('Given a standby that works, and a person with the command line', () => {
  let solo: Solo;

  const cli = (args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> =>
    runCli(args, { ...options, env: { KUBECONFIG: solo.api.kubeconfigPath, ...options.env } });
  const replication = () => ({ resource: replications, namespace: SYSTEM, name: NAME });
  const patch = (body: unknown) => solo.client.patch(replication(), body, 'merge');

  beforeAll(async () => {
    solo = await startSolo();
    await givenStorageClass(solo);
    await givenRemoteCluster(solo, REMOTE);
    await givenVolumePair(solo, NAME, REMOTE, [NAME, `${NAME}-copy`]);
    await eventually(
      'the RemoteCluster to be ready',
      async () => {
        const { out } = await cli(['status', '-o', 'json']);
        const { remoteClusters: seen } = JSON.parse(out) as { remoteClusters: { phase: string }[] };
        return seen[0]?.phase === 'Ready' ? true : undefined;
      },
      120_000,
    );
  }, 240_000);

  afterAll(async () => {
    await solo.stop();
  }, 60_000);

  test('When a sync is waited for Then its volumes are shown, and the exit code says that it is done', async () => {
    const { code, out, err } = await cli(['sync', NAME, '-n', SYSTEM, '--wait', '--timeout', '2m']);

    expect({ code, out, err }).toMatchObject({ code: 0 });
    expect(out).toMatch(/dr-syncer-system\/operate +Completed +\d+ objects/);
    expect(err).toContain('dr-syncer-system/operate Running');
    expect(err).toContain('volume data Succeeded');
  }, 180_000);

  test('When the status is asked for Then age, counts and the standby itself are there', async () => {
    const text = await cli(['status']);
    const { out } = await cli(['status', '-o', 'json']);
    const { replications: seen, standbys } = JSON.parse(out) as Record<string, object[]>;

    expect(text).toMatchObject({ code: 0, err: '' });
    expect(text.out).toMatch(/dr-syncer-system\/operate +dr-syncer-system\/standby:operate-copy +Completed/);
    expect(seen).toEqual([expect.objectContaining({ phase: 'Completed', rpoSeconds: expect.any(Number) })]);
    expect(standbys).toEqual([
      expect.objectContaining({
        ...{ namespace: 'operate-copy', sourceNamespace: 'operate', state: 'Standby' },
        syncs: [expect.objectContaining({ replication: 'dr-syncer-system/operate', result: 'Completed' })],
      }),
    ]);
  });

  test('When a person watches on a terminal Then a bar moves while the volume is copied', async () => {
    const claim = { resource: wellKnown.persistentVolumeClaims, namespace: NAME, name: 'data' };
    const dir = volumeDir(solo.node, await solo.client.get(claim));
    await writeFile(join(dir, 'big'), randomBytes(24 << 20));
    await patch({ spec: { pvcConfig: { bandwidthLimit: 6 * 1024 } } });
    const watched = cli(['status', '--watch'], { terminal: true, interruptAt: /data +\[=+>/ });
    const synced = await cli(['sync', NAME, '-n', SYSTEM, '--wait', '--timeout', '2m'], { terminal: true });
    const seen = await watched;

    expect(synced).toMatchObject({ code: 0, err: '' });
    expect(synced.out).toMatch(/operate data +\[=+> +\] +\d+% .*MiB\/s/);
    expect(synced.out).toContain('\u001b[32mCompleted\u001b[0m');
    expect(seen.code).toBe(130);
    expect(seen.out).toMatch(/operate data +\[=+> +\] +\d+%/);
  }, 180_000);

  test('When copies are verified Then the exit code says what was found, and what differs is named', async () => {
    const dirs: string[] = [];
    for (const namespace of [NAME, `${NAME}-copy`]) {
      const ref = { resource: wellKnown.persistentVolumeClaims, namespace, name: 'data' };
      dirs.push(volumeDir(solo.node, await solo.client.get(ref)));
    }
    const [from = '', to = ''] = dirs;
    await writeFile(join(from, 'kept\n'), 'right');
    const verify = ['verify', NAME, '-n', SYSTEM, '--timeout', '2m', '--wait'];
    const same = await cli([...verify, '--mode', 'sample']);
    // Same size and times: nothing but its content tells.
    await writeFile(join(to, 'kept\n'), 'wrong');
    await run('touch', ['--no-create', `--reference=${join(from, 'kept\n')}`, join(to, 'kept\n')]);
    const differs = await cli([...verify, '-o', 'json']);
    const repaired = await cli([...verify, '--volume', 'data']);
    const other = await cli([...verify, '--volume', 'none']);

    expect(same).toMatchObject({ code: 0, out: expect.stringMatching(/data +Same +sample/) });
    expect(differs.code).toBe(4);
    expect(JSON.parse(differs.out)).toMatchObject({
      result: 'Differs',
      volumes: [{ volume: 'data', result: 'Differs', mode: 'full', differences: ['kept?'] }],
    });
    expect(repaired).toMatchObject({ code: 0, out: expect.stringMatching(/data +Same +full/) });
    expect(other).toMatchObject({ code: 1, out: expect.stringMatching(/none +Unknown/) });
  }, 240_000);

  test('When NO_COLOR is set Then a terminal gets no colour', async () => {
    const { out } = await cli(['status'], { terminal: true, env: { NO_COLOR: '1' } });

    expect(out).toContain('Completed');
    // eslint-disable-next-line no-control-regex -- colours are what it is about
    expect(out).not.toMatch(/\u001b\[\d+m/);
  });

  test.each([
    ['does not exist', ['nothing-there'], 1, 'nothing-there'],
    ['has no name and no --all', [], 2, '--all'],
  ])('When the Replication %s Then the command says so', async (_what, names, code, text) => {
    const result = await cli(['sync', ...names, '-n', SYSTEM, '--wait']);

    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toContain(text);
  });

  test('When the sync fails Then so does the command, with the cause', async () => {
    await patch({ spec: { resourceTypes: ['nonsense'] } });
    const { code, out } = await cli(['sync', NAME, '-n', SYSTEM, '--wait', '--timeout', '2m']);
    await patch({ spec: { resourceTypes: ['persistentvolumeclaims'] } });

    expect(code).toBe(1);
    expect(out).toMatch(/Failed +.*nonsense/);
  }, 180_000);

  test('When the Replication is paused Then nothing is asked for', async () => {
    await patch({ spec: { paused: true } });
    const { code, err } = await cli(['sync', NAME, '-n', SYSTEM]);
    const { metadata } = await solo.client.get(replication());
    await patch({ spec: { paused: false } });

    expect(code).toBe(1);
    expect(err).toContain('spec.paused');
    expect(metadata.annotations ?? {}).not.toHaveProperty('dr-syncer.io/sync-now');
  });

  test("When keys are rotated, the source's too, Then the command ends when no agent accepts the old ones", async () => {
    const keys = async () => {
      const ref = { resource: remoteClusters, namespace: SYSTEM, name: REMOTE };
      const { status } = await solo.client.get<KubeObject & { status: RemoteClusterStatus }>(ref);
      return { client: status.sshKey?.fingerprint, host: [...(status.hostKeyFingerprints ?? [])].sort() };
    };
    const before = await keys();
    const rotated = await cli([
      'rotate-keys',
      REMOTE,
      '--only',
      'ssh',
      '-n',
      SYSTEM,
      '--wait',
      '--timeout',
      '2m',
    ]);
    const between = await keys();
    const revoked = await cli([
      'rotate-keys',
      REMOTE,
      '--source',
      '--revoke',
      '-n',
      SYSTEM,
      '--wait',
      '-o',
      'json',
    ]);
    const after = await keys();

    expect([rotated.code, rotated.err]).toEqual([0, expect.anything()]);
    expect(rotated.out).toMatch(/dr-syncer-system\/standby +Rotated/);
    expect(rotated.err).toMatch(/standby: key: (Staged|Switched|Retiring)/);
    expect(between.client).not.toBe(before.client);
    expect([revoked.code, revoked.err]).toEqual([0, expect.anything()]);
    expect(JSON.parse(revoked.out)).toEqual({
      rotations: [
        { remoteCluster: 'dr-syncer-system/standby', result: 'Revoked' },
        { remoteCluster: 'source', result: 'Revoked' },
      ],
    });
    expect(after.client).not.toBe(between.client);
    expect(after.host).toEqual(before.host);
  }, 240_000);

  test.each([
    [['rotate-keys'], '--all'],
    [['rotate-keys', REMOTE, '--revoke', '--only', 'host'], '--revoke'],
  ])('When keys are rotated by %j Then it is wrong usage', async (args, text) => {
    const { code, err } = await cli(args);

    expect(code).toBe(2);
    expect(err).toContain(text);
  });

  test('When the controller does not run Then the wait ends, and says that what was asked for stays', async () => {
    await solo.controller.stop();
    const { code, err } = await cli(['sync', NAME, '-n', SYSTEM, '--wait', '--start-timeout', '2s']);
    await solo.restart();

    expect(code).toBe(3);
    expect(err).toContain('not begun within 2 s');
  }, 60_000);
});
