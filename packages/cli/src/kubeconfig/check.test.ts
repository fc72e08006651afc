import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { outcome } from '../testing/outcome.js';

const SECRET = 'S3cr3tThatMustNotShow';

function kubeconfig(cluster: object = {}, user: object = {}, more: object = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'https://192.0.2.1:6443', ...cluster } }],
    users: [{ name: 'u', user: { token: SECRET, ...user } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
    ...more,
  });
}

function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.c2ln`;
}

describe('Given a kubeconfig in a file', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dr-syncer-cli-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  const check = async (text: string | Buffer, ...args: string[]) => {
    const file = join(dir, 'kubeconfig');
    await writeFile(file, text);
    const result = await outcome(['kubeconfig', 'check', file, ...args]);
    expect(result.out + result.err).not.toContain(SECRET);
    return result;
  };

  test('When it is fine Then it says so and ends with 0', async () => {
    const { code, out } = await check(kubeconfig());

    expect(code).toBe(0);
    expect(out).toMatch(/fields +ok +server https:\/\/192\.0\.2\.1:6443/);
  });

  test('When its token is of an account and ends Then both are told', async () => {
    const exp = Math.round(Date.now() / 1000) + 90 * 86_400;
    const sub = 'system:serviceaccount:dr-syncer-system:dr-syncer-remote';
    const { code, out } = await check(kubeconfig({}, { token: jwt({ sub, exp }) }));

    expect(code).toBe(0);
    expect(out).toContain('dr-syncer-system/dr-syncer-remote');
    expect(out).toContain(new Date(exp * 1000).toISOString());
  });

  test('When its token has ended Then it ends with 1', async () => {
    const { code, out } = await check(kubeconfig({}, { token: jwt({ exp: 1_600_000_000 }) }));

    expect(code).toBe(1);
    expect(out).toContain('ended at 2020-09-13');
  });

  test.each<[string, string, string | Buffer]>([
    ['exec', 'users[0].user.exec', kubeconfig({}, { exec: { command: 'touch', args: ['/tmp/x'] } })],
    ['auth-provider', 'users[0].user.auth-provider', kubeconfig({}, { 'auth-provider': { name: 'gcp' } })],
    ['tokenFile', 'users[0].user.tokenFile', kubeconfig({}, { tokenFile: '/etc/passwd' })],
    ['client-key', 'users[0].user.client-key', kubeconfig({}, { 'client-key': '/etc/shadow' })],
    ['impersonation', 'users[0].user.as', kubeconfig({}, { as: 'admin' })],
    [
      'certificate-authority',
      'clusters[0].cluster.certificate-authority',
      kubeconfig({ 'certificate-authority': '/x' }),
    ],
    ['proxy-url', 'clusters[0].cluster.proxy-url', kubeconfig({ 'proxy-url': 'http://evil' })],
    [
      'insecure',
      'clusters[0].cluster.insecure-skip-tls-verify',
      kubeconfig({ 'insecure-skip-tls-verify': true }),
    ],
    ['http', 'clusters[0].cluster.server', kubeconfig({ server: 'http://192.0.2.1' })],
    ['an anchor', 'YAML', 'a: &a [1]\nb: *a\n'],
    ['ten megabytes', 'larger than 128 KiB', Buffer.alloc(10_000_000, 'a: b\n')],
    ['no text', 'not valid UTF-8', Buffer.from([0xff, 0xfe, 0x00])],
  ])('When it has %s Then %s is named and it ends with 1', async (_what, named, text) => {
    const { code, out } = await check(text);

    expect(code).toBe(1);
    expect(out).toContain('refused');
    expect(out).toContain(named);
  });

  test('When several fields are refused Then each has its line', async () => {
    const { out } = await check(kubeconfig({ 'proxy-url': 'http://evil' }, { exec: {}, tokenFile: '/x' }));

    expect(out.split('\n').filter((line) => line.includes('refused'))).toHaveLength(3);
  });

  test('When JSON is asked for Then it is JSON, and the exit code is the same', async () => {
    const { code, out } = await check(kubeconfig({}, { exec: {} }), '-o', 'json');

    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ accepted: false, findings: [{ check: 'fields', ok: false }] });
  });

  test('When it cannot be connected Then it says so and ends with 1', async () => {
    const { code, out } = await check(kubeconfig({ server: 'https://127.0.0.1:9' }), '--connect');

    expect(code).toBe(1);
    expect(out).toMatch(/connection +refused .*RemoteUnreachable/);
  });

  test('When the file has no end Then only its beginning is read', async () => {
    const { code, out } = await outcome(['kubeconfig', 'check', '/dev/zero']);

    expect(code).toBe(1);
    expect(out).toContain('larger than 128 KiB');
  });
});
