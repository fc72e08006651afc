import { parsePrivateKey } from '@dr-syncer/ssh';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { install } from '../demo/install.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
import { connect, replicationOf } from './support/replication.js';
import { secretText, trySsh } from './support/ssh.js';
import { claim, digest, fill, ready, volumePod } from './support/volume-pod.js';

interface Remote {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly status: {
    readonly phase: string;
    readonly sshKey: { readonly fingerprint: string; readonly rotation?: object; readonly revoked?: object };
    readonly hostKeys: { readonly rotation?: object };
    readonly hostKeyFingerprints: readonly string[];
  };
}

interface Volume {
  readonly phase: string;
  readonly percent?: number;
  readonly message?: string;
}

interface Replicated {
  readonly status?: {
    readonly phase: string;
    readonly lastSyncRequest?: string;
    readonly volumes?: readonly Volume[];
  };
}

const NAME = 'e2e-rotation';
const labels = { e2e: 'rotation' };
const MEGABYTES = 1024;
/** KiB/s: the transfer has to last longer than a rotation. */
const LIMIT = 48 * 1024;
const TRANSFER_MS = 300_000;

describe('Given a remote cluster and a volume of 1 GiB', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;
  const system = ['-n', SYSTEM_NAMESPACE];
  let address = '';

  beforeAll(async () => {
    await install(context);
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAME, labels } };
    await source.apply([
      namespace,
      claim('data', NAME, settings.sourceStorageClass),
      volumePod('app', NAME, 'data', settings.image),
    ]);
    await ready(source, NAME, 'app');
    await fill(source, NAME, 'app', MEGABYTES);
    await connect(context, NAME, labels);
    const mapping = { [settings.sourceStorageClass]: settings.remoteStorageClass };
    await source.apply([
      replicationOf(NAME, labels, {
        ...{ destinationCluster: NAME, sourceNamespace: NAME, sync: { mode: 'Manual' } },
        pvcConfig: { storageClassMapping: mapping, bandwidthLimit: LIMIT },
      }),
    ]);
    const jsonpath = 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}';
    address = (await remote.run(['get', 'nodes', '-o', jsonpath])).trim();
  }, 400_000);

  afterAll(async () => {
    await source.run(['delete', 'replications.dr-syncer.io', NAME, ...system, '--ignore-not-found']);
    const kinds = 'remoteclusters.dr-syncer.io,secrets';
    await source.run(['delete', kinds, '-l', 'e2e=rotation', ...system, '--timeout=100s'], {
      timeoutMs: 110_000,
    });
    await Promise.all(
      [source, remote].map((at) => at.run(['delete', 'ns', NAME, '--ignore-not-found', '--wait=false'])),
    );
  }, 240_000);

  const remoteCluster = () => source.json<Remote>(['get', 'remoteclusters.dr-syncer.io', NAME, ...system]);
  const replicated = () => source.json<Replicated>(['get', 'replications.dr-syncer.io', NAME, ...system]);
  const annotate = (kind: string, name: string, value: string) =>
    source.run(['annotate', '--overwrite', kind, NAME, `dr-syncer.io/${name}=${value}`, ...system]);
  const privateKey = async () => (await secretText(source, `${NAME}-ssh-key`, 'id_rsa')) ?? '';
  const hostKey = async (type: string) =>
    (await secretText(remote, 'dr-syncer-agent-host-keys', `ssh_host_${type}_key.pub`)) ?? '';

  /** Asks for a sync; resolves while its data is on the way. */
  const begin = async (request: string): Promise<void> => {
    await annotate('replications.dr-syncer.io', 'sync-now', request);
    await eventually(
      `${request} to move data`,
      async () => {
        const [volume] = (await replicated()).status?.volumes ?? [];
        return volume?.phase === 'Transferring' && (volume.percent ?? 0) > 2 ? true : undefined;
      },
      TRANSFER_MS,
    );
  };
  const end = (request: string): Promise<Replicated['status']> =>
    eventually(
      `${request} to end`,
      async () => {
        const { status } = await replicated();
        return status?.lastSyncRequest === request ? status : undefined;
      },
      TRANSFER_MS,
    );
  const served = (annotation: string): Promise<Remote> =>
    eventually(
      `${annotation} to be gone`,
      async () => {
        const object = await remoteCluster();
        const { sshKey, hostKeys } = object.status;
        const isDone = sshKey.rotation === undefined && hostKeys.rotation === undefined;
        const isThere = `dr-syncer.io/${annotation}` in (object.metadata.annotations ?? {});
        return isDone && !isThere ? object : undefined;
      },
      120_000,
    );
  const events = (): Promise<string> =>
    source.run([
      ...['get', 'events', ...system, '--field-selector', `involvedObject.name=${NAME}`],
      ...['-o', 'jsonpath={range .items[*]}{.type} {.reason}: {.message}{"\\n"}{end}'],
    ]);
  const agentFile = (path: string): Promise<string> =>
    remote.run(['exec', ...system, 'ds/dr-syncer-agent', '-c', 'ssh', '--', 'cat', `/etc/dr-syncer/${path}`]);

  /** At the destination the volume has no pod but ours, for a moment. */
  const standbyDigest = async (): Promise<string> => {
    await remote.apply([volumePod('look', NAME, 'data', settings.image)]);
    await ready(remote, NAME, 'look');
    const text = await digest(remote, NAME, 'look');
    await remote.run(['delete', 'pod', 'look', '-n', NAME]);
    return text;
  };

  test('When keys and host keys are rotated while it is transferred Then the transfer does not notice, and the old ones are refused', async () => {
    const before = { key: await privateKey(), ed25519: await hostKey('ed25519'), rsa: await hostKey('rsa') };
    const fingerprint = parsePrivateKey(before.key).fingerprint;
    await begin('rotated');

    await annotate('remoteclusters.dr-syncer.io', 'rotate-ssh-key', 'true');
    const started = performance.now();
    await served('rotate-ssh-key');
    const tookMs = performance.now() - started;
    await annotate('remoteclusters.dr-syncer.io', 'rotate-host-keys', 'true');
    const { status } = await served('rotate-host-keys');
    const [volume] = (await replicated()).status?.volumes ?? [];
    console.log(
      `rotation of the key: ${(tookMs / 1000).toFixed(1)} s; volume then ${JSON.stringify(volume)}`,
    );

    expect(volume?.phase).toBe('Transferring');
    expect(await end('rotated')).toMatchObject({ phase: 'Completed' });
    expect(await standbyDigest()).toBe(await digest(source, NAME, 'app'));

    const after = { key: await privateKey(), ed25519: await hostKey('ed25519'), rsa: await hostKey('rsa') };
    const now = parsePrivateKey(after.key).fingerprint;
    expect(now).not.toBe(fingerprint);
    expect(status.sshKey.fingerprint).toBe(now);
    const lines = await agentFile('authorized-keys/authorized_keys');
    expect(lines).toContain(parsePrivateKey(after.key).publicLine.split(' ')[1]);
    expect(lines).not.toContain(parsePrivateKey(before.key).publicLine.split(' ')[1]);
    for (const type of ['ed25519', 'rsa'] as const) {
      expect(after[type]).not.toBe(before[type]);
      expect(await trySsh(address, after.key, after[type])).toBe('let in');
      expect(await trySsh(address, before.key, after[type])).toBe('refused');
      expect(await trySsh(address, after.key, before[type])).toBe('another host key');
    }
    const told = await events();
    expect(told).toContain(`Normal KeyRotationStarted: Replacing the SSH key ${fingerprint} by ${now}.`);
    expect(told).toContain(`Normal KeyRotated: In use now: the SSH key ${now}. Refused: ${fingerprint}.`);
    expect(told).toMatch(
      /Normal KeyRotated: In use now: the host keys SHA256:\S+ and SHA256:\S+\. Refused: SHA256/,
    );
  }, 600_000);

  test('When the key is revoked while it is transferred Then what it began is cut, and goes on under the new key', async () => {
    const before = await privateKey();
    const grants = async () =>
      (await remote.run(['logs', 'ds/dr-syncer-agent', '-c', 'ssh', ...system, '--tail=2000']))
        .split('\n')
        .filter((line) => line.includes('"audit":"grant"') && line.includes('KeyRevoked')).length;
    const cutBefore = await grants();
    await fill(source, NAME, 'app', MEGABYTES);
    await begin('revoked');

    await annotate('remoteclusters.dr-syncer.io', 'rotate-ssh-key', 'revoke');
    const started = performance.now();
    const ed25519 = await hostKey('ed25519');
    await eventually('the old key to be refused', async () =>
      (await trySsh(address, before, ed25519)) === 'refused' ? true : undefined,
    );
    console.log(`refused ${((performance.now() - started) / 1000).toFixed(1)} s after the annotation`);
    const { status } = await served('rotate-ssh-key');

    expect(status.sshKey.revoked).toBeUndefined();
    expect(await grants()).toBeGreaterThan(cutBefore);
    expect(await trySsh(address, await privateKey(), ed25519)).toBe('let in');
    expect(await end('revoked')).toMatchObject({ phase: 'Completed' });
    expect(await standbyDigest()).toBe(await digest(source, NAME, 'app'));
    const told = await events();
    expect(told).toMatch(/Warning KeyRevoked: The SSH key SHA256:\S+ is revoked/);
    expect(told).toMatch(/Normal KeyRevocationConfirmed: .* is refused by every agent\./);
  }, 600_000);

  test('When the annotation says anything else Then it is refused with an Event, and stays', async () => {
    const { fingerprint } = (await remoteCluster()).status.sshKey;
    await annotate('remoteclusters.dr-syncer.io', 'rotate-ssh-key', 'please');

    await eventually('the Event', async () =>
      (await events()).includes(
        'Warning KeyRotationRefused: The annotation dr-syncer.io/rotate-ssh-key is "please"',
      )
        ? true
        : undefined,
    );
    const { metadata, status } = await remoteCluster();
    expect(metadata.annotations).toMatchObject({ 'dr-syncer.io/rotate-ssh-key': 'please' });
    expect(status.sshKey.fingerprint).toBe(fingerprint);
  });
});
