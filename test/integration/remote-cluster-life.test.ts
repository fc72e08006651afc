import { execFileSync } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RemoteCluster } from '@dr-syncer/api';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';

import { eventually } from '../support/eventually.js';
import { remoteClusters, type Solo, startSolo } from './support/solo/solo.js';

const NAMESPACE = 'dr-syncer-system';
type Status = NonNullable<RemoteCluster['status']>;
type Condition = NonNullable<Status['conditions']>[number];

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command line as a person has it. */
function cli(kubeconfig: string, ...args: string[]): Outcome {
  const main = join(import.meta.dirname, '../../packages/cli/dist/main.js');
  // eslint-disable-next-line no-restricted-properties -- for the child
  const env = { PATH: process.env['PATH'] ?? '', KUBECONFIG: kubeconfig };
  try {
    const out = execFileSync(process.execPath, [main, ...args], { env, encoding: 'utf8', stdio: 'pipe' });
    return { code: 0, out, err: '' };
  } catch (err) {
    const { status, stdout, stderr } = err as { status: number; stdout: string; stderr: string };
    return { code: status, out: stdout, err: stderr };
  }
}

describe('Given a controller, an agent and an API server', () => {
  let solo: Solo;
  let dir = '';

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dr-syncer-life-'));
    solo = await startSolo();
  }, 240_000);
  afterAll(async () => {
    await solo.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const at = (name: string) => ({ resource: remoteClusters, namespace: NAMESPACE, name });
  const status = async (name: string): Promise<Status | undefined> =>
    (await solo.client.find<KubeObject & { status?: Status }>(at(name)))?.status;
  const conditionOf = (name: string, type: string, fits: (one: Condition) => boolean) =>
    eventually(
      `${name} ${type}`,
      async () => (await status(name))?.conditions?.find((one) => one.type === type && fits(one)),
      60_000,
    );
  const connect = async (name: string, secret: string, spec: Record<string, unknown> = {}) => {
    await solo.client.create(remoteClusters, {
      ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster' },
      metadata: { name, namespace: NAMESPACE },
      spec: { kubeconfigSecret: secret, agentDeployment: { port: solo.agentPort }, ...spec },
    });
  };
  const ready = (name: string) => conditionOf(name, 'Ready', (one) => one.status === 'True');
  const gone = (name: string) =>
    eventually(
      `${name} to be gone`,
      async () => ((await solo.client.find(at(name))) === undefined ? true : undefined),
      60_000,
    );
  const create = (name: string, ...args: string[]): Outcome => {
    const context = 'solo';
    const server = ['--server', solo.api.url];
    return cli(
      solo.api.kubeconfigPath,
      'kubeconfig',
      'create',
      '--name',
      name,
      ...server,
      ...args,
      '--apply-to',
      context,
    );
  };
  const secretText = async (name: string): Promise<string> => {
    const ref = { resource: wellKnown.secrets, namespace: NAMESPACE, name };
    const { data } = await solo.client.get<KubeObject & { data: Record<string, string> }>(ref);
    return Buffer.from(data['kubeconfig'] ?? '', 'base64').toString();
  };

  const checkText = async (text: string, ...args: string[]): Promise<Outcome> => {
    const file = join(dir, 'checked');
    await writeFile(file, text);
    return cli('', 'kubeconfig', 'check', file, ...args);
  };
  /** The token with three quarters of its life over. */
  const aged = async (token: string): Promise<string> => {
    const key = createPrivateKey(await readFile(join(dirname(solo.api.kubeconfigPath), 'pki', 'sa.key')));
    const [head, body] = token.split('.') as [string, string];
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, number>;
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now - 5400, nbf: now - 5400, exp: now + 1800 };
    const next = `${head}.${Buffer.from(JSON.stringify({ ...claims, ...times })).toString('base64url')}`;
    const signature = sign('sha256', Buffer.from(next), { key, dsaEncoding: 'ieee-p1363' });
    return `${next}.${signature.toString('base64url')}`;
  };

  test.each([
    ['wide', []],
    ['limited', ['--namespaces', 'shop,bank']],
  ])(
    'When the command line makes a kubeconfig (%s) Then it checks and the RemoteCluster gets ready',
    async (name, args) => {
      const made = create(name, ...args);
      expect(made).toMatchObject({ code: 0 });
      expect(made.out).toBe('');

      const text = await secretText(name);
      const file = join(dir, name);
      await writeFile(file, text);
      const check = cli('', 'kubeconfig', 'check', file, '--connect', ...args);
      expect(check.out).toContain('dr-syncer-system/dr-syncer-remote');
      expect(check).toMatchObject({ code: 0 });
      const token = /"token": "([^"]+)"/.exec(text)![1]!;
      expect(check.out + check.err + made.err).not.toContain(token);
      await connect(name, name);
      await ready(name);
      expect((await conditionOf(name, 'PermissionsGranted', () => true)).status).toBe('True');
      const found = await status(name);
      expect(Date.parse(found?.kubeconfig?.expiresAt ?? '') - Date.now()).toBeGreaterThan(29 * 86_400_000);
      expect(found?.connectivity?.mode).toBe('Direct');
      expect(found?.agentStatus?.nodes).toEqual([{ name: 'n1', state: 'Ready' }]);
    },
    120_000,
  );

  test('When a limited kubeconfig is checked for another namespace Then what is missing is named', async () => {
    // The account is the same one; what it may do beyond its namespaces came with the cluster-wide role.
    for (const plural of ['clusterrolebindings', 'clusterroles']) {
      const kind = plural === 'clusterroles' ? 'ClusterRole' : 'ClusterRoleBinding';
      const resource = { group: 'rbac.authorization.k8s.io', version: 'v1', plural, kind, namespaced: false };
      await solo.client.delete({ resource, name: 'dr-syncer-remote' });
    }
    const { code, out } = await eventually('the authorizer to have seen it', () => {
      const result = cli(
        '',
        'kubeconfig',
        'check',
        join(dir, 'limited'),
        '--connect',
        '--namespaces',
        'shop,kube-public',
      );
      return Promise.resolve(result.code === 1 ? result : undefined);
    });

    expect(code).toBe(1);
    expect(out).toContain('may not create secrets in kube-public');
    expect(out).not.toMatch(/in shop|in dr-syncer-system/);
  });

  test('When half of a token is over Then the controller renews it, and nothing is disturbed', async () => {
    create('renewed', '--namespaces', 'shop', '--duration', '2h');
    await connect('renewed', 'renewed');
    await ready('renewed');
    const { message } = await conditionOf('renewed', 'KubeconfigExpiring', () => true);
    expect(message).toContain('renewed by the controller');

    // The same token as if it were older: signed anew with the API server's own key.
    const text = await secretText('renewed');
    const old = await aged(/"token": "([^"]+)"/.exec(text)![1]!);
    const data = {
      kubeconfig: Buffer.from(text.replace(/"token": "[^"]+"/, `"token": "${old}"`)).toString('base64'),
    };
    await solo.client.patch(
      { resource: wellKnown.secrets, namespace: NAMESPACE, name: 'renewed' },
      { data },
      'merge',
    );

    const renewed = await eventually('the token to be renewed', async () => {
      const now = await secretText('renewed');
      return now.includes(old) ? undefined : now;
    });
    expect(() => JSON.parse(renewed) as unknown).not.toThrow();
    const check = await checkText(renewed, '--connect', '--namespaces', 'shop');
    expect(check).toMatchObject({ code: 0, out: expect.not.stringContaining('refused') });
    await ready('renewed');
  }, 120_000);

  test('When two RemoteClusters use one Secret Then both are ready, and one installs the agents', async () => {
    const file = join(dir, 'own-key');
    execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '4096', '-N', '', '-C', 'x', '-f', file]);
    const [id_rsa, pub] = await Promise.all([readFile(file, 'base64'), readFile(`${file}.pub`, 'base64')]);
    await solo.client.create(wellKnown.secrets, {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'own-key', namespace: NAMESPACE } },
      ...{ type: 'Opaque', data: { id_rsa, 'id_rsa.pub': pub } },
    });
    await connect('second', 'limited', { sshKeySecret: 'own-key' });
    await ready('second');

    const agent = await conditionOf('second', 'AgentReady', (one) => one.status === 'True');
    expect(agent.message).toContain('Another RemoteCluster installed them');
  });

  test('Then a key that was made goes with its RemoteCluster, and one that somebody brought stays', async () => {
    const owners = async (name: string) => {
      const { metadata } = await solo.client.get({ resource: wellKnown.secrets, namespace: NAMESPACE, name });
      return metadata.ownerReferences ?? [];
    };
    const { metadata } = await solo.client.get(at('limited'));

    expect(await owners('limited-ssh-key')).toEqual([
      { apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster', name: 'limited', uid: metadata.uid },
    ]);
    expect(await owners('own-key')).toEqual([]);
  });

  test('When an agent shows another host key Then it is left alone until asked, or until the pinned keys change', async () => {
    const ref = { resource: wellKnown.secrets, namespace: NAMESPACE, name: 'dr-syncer-agent-host-keys' };
    const secret = await solo.client.get<KubeObject & { data: Record<string, string> }>(ref);
    const file = join(dir, 'other');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'x', '-f', file]);
    const wrong = await readFile(`${file}.pub`, 'base64');
    const pub = { 'ssh_host_ed25519_key.pub': wrong, 'ssh_host_rsa_key.pub': wrong };
    const recheck = (value: string) =>
      solo.client.patch(
        at('second'),
        { metadata: { annotations: { 'dr-syncer.io/recheck-host-keys': value } } },
        'merge',
      );
    await solo.client.patch(ref, { data: pub }, 'merge');
    await solo.restart();

    const mismatch = await conditionOf('second', 'Ready', (one) => one.reason === 'HostKeyMismatch');
    expect(mismatch.message).toMatch(/agent on node n1: .*SHA256:.*pinned: SHA256:/s);
    expect((await status('second'))?.phase).toBe('Failed');

    await solo.client.patch(ref, { data: secret.data }, 'merge');
    await ready('second');

    await solo.client.patch(ref, { data: pub }, 'merge');
    await solo.restart();
    await conditionOf('second', 'Ready', (one) => one.reason === 'HostKeyMismatch');
    await solo.client.patch(ref, { data: secret.data }, 'merge');
    await recheck('now');
    await ready('second');
  }, 240_000);

  test('When they are deleted Then only the last takes the agents away, and no namespace goes', async () => {
    const keys = {
      resource: wellKnown.secrets,
      namespace: NAMESPACE,
      name: 'dr-syncer-agent-authorized-keys',
    };
    const lines = async () => {
      const found = await solo.client.find<KubeObject & { data?: Record<string, string> }>(keys);
      return Buffer.from(found?.data?.['authorized_keys'] ?? '', 'base64').toString();
    };
    for (const name of ['wide', 'limited', 'renewed']) {
      await solo.client.delete(at(name));
      await gone(name);
      expect(await lines()).not.toContain(`/${NAMESPACE}/${name}`);
    }
    expect(await lines()).toContain(`/${NAMESPACE}/second`);
    const daemonSet = { resource: wellKnown.daemonSets, namespace: NAMESPACE, name: 'dr-syncer-agent' };
    expect(await solo.client.find(daemonSet)).toBeDefined();

    await solo.client.delete(at('second'));
    await gone('second');
    for (const name of ['shop', 'bank', NAMESPACE]) {
      const { metadata } = await solo.client.get({ resource: wellKnown.namespaces, name });
      expect(metadata.deletionTimestamp).toBeUndefined();
    }
    // This cluster is the source as well, whose controller keeps a key of its own there.
    expect(await lines()).toMatch(/^restrict,.* owner=\S+\/source\n$/);
  }, 120_000);

  test('Then no token and no private key is in the log', async () => {
    const log = await solo.controller.log();
    const token = /"token": "([^"]+)"/.exec(await secretText('limited'))![1]!;

    expect(log).not.toContain('PRIVATE KEY');
    expect(log).not.toContain(token);
  });
});
