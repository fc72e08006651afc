import { createPrivateKey, sign } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import ssh2, { type AnyAuthMethod } from 'ssh2';

import { type AuthFailure, judgeLogin, rsaBits } from './authentication.js';
import { sshLimitsSchema } from '@dr-syncer/ssh';
import {
  makeWorkbench,
  sshOptions,
  startServer,
  type TestKey,
  type TestServer,
  type Workbench,
} from './testing/fixture.js';
import { eventually, run } from './testing/process.js';
import { internalsOf, rawConnect } from './testing/raw-client.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

let bench: Workbench;
let server: TestServer;
let good: TestKey;
let rsa: TestKey;
const keys = new Map<string, TestKey>();

const REQUEST = 'rsync --server --sender -e.LsfxCIvu . .';

beforeAll(async () => {
  bench = await makeWorkbench();
  await mkdir(join(bench.dir, 'volume'));
  good = await bench.key('good');
  rsa = await bench.key('rsa', 'rsa', 3072);
  const made = await Promise.all([
    bench.key('stranger'),
    bench.key('small', 'rsa', 2048),
    bench.key('ecdsa', 'ecdsa'),
    bench.key('expired'),
    bench.key('elsewhere'),
    bench.key('negated'),
    bench.key('unknown-option'),
    bench.key('environment'),
    bench.key('no-command'),
    bench.key('shell'),
  ]);
  for (const key of made) keys.set(key.file.slice(bench.dir.length + 1), key);
  const command = `command="dr-syncer-rsync ${bench.dir}/volume"`;
  const line = (name: string, options: string) => `${options} ${keys.get(name)?.line ?? ''}`;
  server = await startServer(bench, {
    volumesRoot: bench.dir,
    limits: sshLimitsSchema.parse({ handshakesPerSource: { perSecond: 1000, burst: 1000 } }),
    authorizedKeys: [
      `restrict,${command} ${good.line}`,
      `restrict,${command} ${rsa.line}`,
      line('small', `restrict,${command}`),
      line('ecdsa', `restrict,${command}`),
      line('expired', `restrict,expiry-time="20200101Z",${command}`),
      line('elsewhere', `restrict,from="10.0.0.0/8,!127.0.0.1",${command}`),
      line('negated', `restrict,from="!127.0.0.0/8,0.0.0.0/0",${command}`),
      line('unknown-option', `restrict,root-please,${command}`),
      line('environment', `restrict,environment="LD_PRELOAD=/tmp/x",${command}`),
      line('no-command', 'restrict'),
      line('shell', 'restrict,command="/bin/sh"'),
    ].join('\n'),
  });
});

afterAll(async () => {
  await server.stop();
  await bench.remove();
});

const failures = (reason: AuthFailure) => server.metric('dr_syncer_ssh_auth_failures_total', { reason });
const unauthorized = (reason: AuthFailure) =>
  server.metric('dr_syncer_ssh_unauthorized_attempts_total', { reason });

async function expectFailure(reason: AuthFailure, act: () => Promise<unknown>): Promise<void> {
  const before = [await failures(reason), await unauthorized(reason)];
  const lines = server.audit('authentication').length;
  await act();
  expect(await failures(reason)).toBeGreaterThan(before[0] ?? 0);
  await eventually(() => (server.audit('authentication').length > lines ? true : undefined));
  expect(server.audit('authentication').at(-1)).toMatchObject({ msg: 'Failed authentication', reason });
  for (let i = 0; i < 50 && (await unauthorized(reason)) === before[1]; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(await unauthorized(reason)).toBe((before[1] ?? 0) + 1);
}

describe('Given OpenSSH with the wrong key, name or method', () => {
  test.each<[string, AuthFailure, string, string[]]>([
    ['a key that nobody knows', 'UnknownKey', 'stranger', []],
    ['an RSA key of 2048 bits, although it is in the file', 'KeyTooShort', 'small', []],
    ['an ECDSA key, although it is in the file', 'KeyTypeRefused', 'ecdsa', []],
    ['a key that has expired', 'Expired', 'expired', []],
    ['a key that is for other addresses', 'AddressNotAllowed', 'elsewhere', []],
    ['a key that excludes this address', 'AddressNotAllowed', 'negated', []],
    ['a key whose line has an unknown option', 'UnknownKey', 'unknown-option', []],
    ['a key whose line sets the environment', 'UnknownKey', 'environment', []],
    ['a key without a forced command', 'UnknownKey', 'no-command', []],
    ['a key whose forced command is a shell', 'UnknownKey', 'shell', []],
  ])('When it comes with %s, then it stays out (%s)', async (_name, reason, key, more) => {
    await expectFailure(reason, async () => {
      const file = keys.get(key)?.file ?? '';
      const ran = await run('ssh', [...sshOptions(server.port, file, more), 'drsyncer@127.0.0.1', REQUEST]);
      expect(ran).toMatchObject({
        code: 255,
        stderr: expect.stringContaining('Permission denied (publickey)'),
      });
    });
  });

  test.each(['root', 'drsyncer2', '', 'DRSYNCER', 'drsyncer ', 'x'.repeat(5000)])(
    'When the user is "%.20s", then even the right key does not help',
    async (user) => {
      await expectFailure('WrongUser', async () => {
        const args = [...sshOptions(server.port, good.file), '-l', user, '127.0.0.1', REQUEST];
        if (user === '')
          await rawLogin('', [{ type: 'publickey', username: '', key: await readFile(good.file) }]);
        else expect((await run('ssh', args)).code).toBe(255);
      });
    },
  );

  test('When everything about the lines that are not used is looked up, then the log has their numbers', () => {
    const problems = server.log.filter(({ message }) => message.includes('a line that is not used'));
    expect(problems.map(({ fields }) => [fields['line'], fields['code']])).toEqual([
      [3, 'KeyTooShort'],
      [4, 'KeyTypeRefused'],
      [5, 'Expired'],
      [8, 'UnknownOption'],
      [9, 'OptionRefused'],
      [10, 'NoForcedCommand'],
      [11, 'CommandInvalid'],
    ]);
  });
});

async function rawLogin(username: string, authHandler: AnyAuthMethod[]): Promise<string> {
  const client = new ssh2.Client();
  return new Promise((resolve) => {
    client.on('ready', () => {
      client.end();
      resolve('ready');
    });
    client.on('error', (err) => resolve(err.message));
    client.on('close', () => resolve('closed'));
    client.connect({ host: '127.0.0.1', port: server.port, username, authHandler: authHandler });
  });
}

describe('Given a stranger who does not speak SSH', () => {
  test('When the connection has ended, then its beginning and end are in the audit log, with its number', async () => {
    const { socket, closed } = await rawConnect(server.port);
    socket.end('GET / HTTP/1.1\r\n\r\n');
    await closed;
    const end = await eventually(() => server.audit('disconnect').at(-1));
    const id = end['connection'];
    expect(end).toMatchObject({ remote_addr: '127.0.0.1', bytes_in: 18 });
    expect(server.audit('connection').filter(({ connection }) => connection === id)).toHaveLength(1);
  });
});

describe('Given a raw client with other ways to log in', () => {
  test.each<[string, AnyAuthMethod]>([
    ['a password', { type: 'password', username: 'drsyncer', password: 'x' }],
    ['keyboard-interactive', { type: 'keyboard-interactive', username: 'drsyncer', prompt: () => undefined }],
  ])('When it comes with %s, then it stays out', async (_name, handler) => {
    await expectFailure('MethodNotAllowed', async () => {
      // ssh2's client only tries what the server says there is, so it is told nothing first.
      expect(await rawLogin('drsyncer', [handler])).not.toBe('ready');
    });
  });

  test('When it has nothing but "none", then it stays out and is no attempt', async () => {
    const before = await server.metric('dr_syncer_ssh_unauthorized_attempts_total');
    expect(await rawLogin('drsyncer', [{ type: 'none', username: 'drsyncer' }])).not.toBe('ready');
    expect(await server.metric('dr_syncer_ssh_unauthorized_attempts_total')).toBe(before);
  });

  /** Signs a login with a key that is known in a way that is wrong. */
  async function loginSigning(
    key: TestKey,
    algo: string | undefined,
    signer: (data: Buffer) => Buffer,
  ): Promise<string> {
    const parsed = ssh2.utils.parseKey(await readFile(key.file));
    if (parsed instanceof Error) throw parsed;
    const client = new ssh2.Client();
    return new Promise((resolve) => {
      client.on('ready', () => resolve('ready'));
      client.on('error', (err) => resolve(err.message));
      client.on('close', () => resolve('closed'));
      client.connect({
        host: '127.0.0.1',
        port: server.port,
        username: 'drsyncer',
        authHandler: (left: unknown) => {
          if (left === null) {
            internalsOf(client)._protocol.authPK('drsyncer', parsed, algo, (data, done) =>
              done(signer(data)),
            );
            return undefined;
          }
          return false;
        },
      });
    });
  }

  test.each<[string, AuthFailure, () => TestKey, string | undefined, (data: Buffer) => Buffer]>([
    ['a SHA-1 signature', 'Sha1Signature', () => rsa, undefined, (data) => signWith('sha1', rsaPem, data)],
    [
      'a signature of something else',
      'SignatureInvalid',
      () => rsa,
      'rsa-sha2-256',
      () => signWith('sha256', rsaPem, Buffer.from('x')),
    ],
    ['a signature of zeros', 'SignatureInvalid', () => rsa, 'rsa-sha2-512', () => Buffer.alloc(384)],
    ['an empty signature', 'SignatureInvalid', () => good, undefined, () => Buffer.alloc(0)],
    ['random bytes', 'SignatureInvalid', () => good, undefined, () => Buffer.alloc(64, 7)],
    [
      'the other hash',
      'SignatureInvalid',
      () => rsa,
      'rsa-sha2-512',
      (data) => signWith('sha256', rsaPem, data),
    ],
  ])('When it comes with %s, then it stays out', async (_name, reason, key, algo, signer) => {
    rsaPem = await pemOf(rsa);
    await expectFailure(reason, async () => {
      expect(await loginSigning(key(), algo, signer)).not.toBe('ready');
    });
  });

  test('When the same client signs as it should, then it is let in', async () => {
    rsaPem = await pemOf(rsa);
    expect(await loginSigning(rsa, 'rsa-sha2-512', (data) => signWith('sha512', rsaPem, data))).toBe('ready');
  });
});

let rsaPem = '';

async function pemOf(key: TestKey): Promise<string> {
  const parsed = ssh2.utils.parseKey(await readFile(key.file));
  if (parsed instanceof Error) throw parsed;
  return parsed.getPrivatePEM();
}

function signWith(hash: string, pem: string, data: Buffer): Buffer {
  return sign(hash, data, createPrivateKey(pem));
}

describe('Given login messages that no client sends', () => {
  const rules = {
    user: 'drsyncer',
    address: '127.0.0.1',
    now: new Date(),
    decide: () => ({ outcome: 'UnknownKey' }) as const,
  };
  const judge = (algo: string, data: Buffer, hashAlgo?: string) =>
    judgeLogin({ username: 'drsyncer', method: 'publickey', key: { algo, data }, hashAlgo }, rules);

  test.each([
    ['ssh-rsa', Buffer.alloc(0), 'sha256', 'KeyTooShort'],
    ['ssh-rsa', Buffer.alloc(4, 255), 'sha256', 'KeyTooShort'],
    ['ssh-rsa', Buffer.alloc(400), 'sha256', 'KeyTooShort'],
    ['ssh-ed25519', Buffer.alloc(0), undefined, 'UnknownKey'],
    ['ssh-dss', Buffer.alloc(500), undefined, 'KeyTypeRefused'],
    ['ssh-ed25519-cert-v01@openssh.com', Buffer.alloc(500), undefined, 'KeyTypeRefused'],
    ['sk-ssh-ed25519@openssh.com', Buffer.alloc(500), undefined, 'KeyTypeRefused'],
    ['ecdsa-sha2-nistp256', Buffer.alloc(500), undefined, 'KeyTypeRefused'],
  ])(
    'When the key says %s and holds nonsense, then it is refused and nothing is thrown',
    (algo, data, hash, reason) => {
      expect(judge(algo, data, hash)).toMatchObject({ outcome: 'failed', reason });
    },
  );

  test('Then the size of an RSA key is that of its modulus', () => {
    const blob = (line: string) => Buffer.from(line.split(' ')[1] ?? '', 'base64');
    expect([rsaBits(blob(rsa.line)), rsaBits(blob(keys.get('small')?.line ?? ''))]).toEqual([3072, 2048]);
  });
});
