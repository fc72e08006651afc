import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { connectRemote, install } from '../demo/install.js';
import { SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';

interface Ended {
  readonly code: number;
  readonly output: string;
}

describe("Given the agent in the remote cluster and the controller's own key", () => {
  const context = twoClusters();
  const { source, remote } = context;
  let dir = '';
  let ssh: string[] = [];

  beforeAll(async () => {
    await install(context);
    await connectRemote(context);
    dir = await mkdtemp(join(tmpdir(), 'dr-syncer-e2e-'));
    const key = await secretText(source, 'standby-ssh-key', 'id_rsa');
    await writeFile(join(dir, 'key'), key, { mode: 0o600 });
    const address = (
      await remote.run([
        'get',
        'nodes',
        '-o',
        'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}',
      ])
    ).trim();
    const pins = await secretText(remote, 'dr-syncer-agent-host-keys', 'ssh_host_ed25519_key.pub');
    await writeFile(join(dir, 'known_hosts'), `[${address}]:2222 ${pins}`);
    ssh = [
      ...['-F', '/dev/null', '-i', join(dir, 'key'), '-p', '2222', '-l', 'drsyncer'],
      ...['-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes'],
      ...['-o', `UserKnownHostsFile=${join(dir, 'known_hosts')}`, address],
    ];
  });

  afterAll(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  const ask = (...command: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const child = execFile('ssh', [...ssh, ...command], { timeout: 20_000 }, (err, stdout, stderr) =>
        resolve({ code: err === null ? 0 : Number(err.code ?? 255), output: stdout + stderr }),
      );
      child.stdin?.end();
    });

  const audit = (text: string): Promise<string> =>
    eventually(`audit line with ${text}`, async () => {
      const args = ['logs', 'ds/dr-syncer-agent', '-c', 'ssh', '-n', SYSTEM_NAMESPACE, '--tail=200'];
      return (await remote.run(args))
        .split('\n')
        .find((line) => line.includes('"audit"') && line.includes(text));
    });

  test.each([
    [['id']],
    [['rsync', '--server', '--sender', '-logDtpre.iLsfxC', '.', '/etc']],
    [['sh', '-c', 'cat /etc/passwd']],
  ])('When it asks for %j Then it is refused, and the audit log says so', async (command) => {
    const { code, output } = await ask(...command);

    expect(code).not.toBe(0);
    expect(output).toContain('ControlOnly');
    expect(output).not.toMatch(/uid=|root:/);
    const line = await audit(`"command":"${command.join(' ')}"`);
    expect(JSON.parse(line)).toMatchObject({ user: 'drsyncer', decision: 'refused', code: 'ControlOnly' });
  });

  test('When it asks for a shell or another user Then it is refused', async () => {
    expect((await ask()).code).not.toBe(0);
    expect((await ask('-l', 'root')).code).not.toBe(0);
  });
});

describe("Given the agent's ssh container", () => {
  const { remote } = twoClusters();
  const inside = (file: string): Promise<string> =>
    remote.run(['exec', '-n', SYSTEM_NAMESPACE, 'ds/dr-syncer-agent', '-c', 'ssh', '--', 'cat', file]);

  test('Then it is uid 1000 without any capability', async () => {
    const status = await inside('/proc/1/status');

    expect(status).toMatch(/^Uid:\s+1000\s+1000\s+1000\s+1000$/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      expect(status).toMatch(new RegExp(`^${set}:\\s+0000000000000000$`, 'm'));
    }
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
  });

  test('Then it sees no path of the node and no token', async () => {
    const mounts = (await inside('/proc/1/mountinfo')).split('\n').map((line) => line.split(' ')[4] ?? '');

    expect(mounts.filter((path) => path.includes('kubelet') || path.includes('serviceaccount'))).toEqual([]);
  });
});

async function secretText(
  at: ReturnType<typeof twoClusters>['source'],
  name: string,
  key: string,
): Promise<string> {
  const secret = await at.json<{ data: Record<string, string> }>([
    ...['get', 'secret', name, '-n', SYSTEM_NAMESPACE, '-o', 'json'],
  ]);
  return Buffer.from(secret.data[key] ?? '', 'base64').toString('utf8');
}
