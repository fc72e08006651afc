import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Secret } from '@dr-syncer/api';
import { credentialValidity, serviceAccountOf } from './cluster-access.js';
import { inClusterAccess, TokenFile } from './in-cluster.js';
import { issueCertificate } from './testing/certificates.js';

const server = 'https://h';

function jwt(claims: object): Secret {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return new Secret(`${part({ alg: 'RS256' })}.${part(claims)}.c2ln`);
}

describe('Given a client certificate', () => {
  test('When it is a chain Then the earliest end counts', () => {
    const until = new Date('2030-01-02T03:04:05Z');
    const from = new Date('2020-01-01T00:00:00Z');
    const late = issueCertificate({ commonName: 'a', notAfter: new Date('2040-01-01T00:00:00Z') });
    const cert = late.cert + issueCertificate({ commonName: 'b', notBefore: from, notAfter: until }).cert;

    expect(credentialValidity({ server, cert })).toEqual({ what: 'client certificate', from, until });
  });

  test('When there is a token that ends earlier Then that counts', () => {
    const { cert } = issueCertificate({ commonName: 'a', notAfter: new Date('2040-01-01T00:00:00Z') });

    expect(credentialValidity({ server, cert, token: jwt({ exp: 2_000_000_000 }) })?.what).toBe('token');
  });

  test('When there is none Then there is no end', () => {
    expect(credentialValidity({ server })).toBeUndefined();
  });
});

describe('Given a token', () => {
  const until = new Date(2_000_000_000_000);
  const from = new Date(1_000_000_000_000);

  test.each([
    ['a JWT', jwt({ exp: 2_000_000_000 }), { what: 'token', from: undefined, until }],
    [
      'a JWT with a beginning',
      jwt({ iat: 1_000_000_000, exp: 2_000_000_000 }),
      { what: 'token', from, until },
    ],
    ['a JWT without an end', jwt({ sub: 'x' }), undefined],
    ['a JWT with a senseless end', jwt({ exp: 1e300 }), undefined],
    ['a JWT with a text as end', jwt({ exp: 'x' }), undefined],
    ['an opaque token', new Secret('abc'), undefined],
    ['an opaque token with dots', new Secret('a.b.c'), undefined],
    ['claims that are null', new Secret(`a.${Buffer.from('null').toString('base64url')}.c`), undefined],
  ])('When it is %s Then its end is known or not', (_name, token, expected) => {
    expect(credentialValidity({ server, token })).toEqual(expected);
  });

  test.each([
    [jwt({ sub: 'system:serviceaccount:ns:name' }), { namespace: 'ns', name: 'name' }],
    [jwt({ sub: 'alice' }), undefined],
    [jwt({ sub: 'system:serviceaccount:ns:name:more' }), undefined],
    [new Secret('opaque'), undefined],
  ])('When it is of an account Then that is known (%#)', (token, expected) => {
    expect(serviceAccountOf(token)).toEqual(expected);
  });
});

describe('Given the files of a service account', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sa-'));
    await writeFile(join(directory, 'ca.crt'), 'PEM');
    await writeFile(join(directory, 'token'), 'first\n');
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('Then access has the server of the environment, the authority and a token source', async () => {
    const access = await inClusterAccess({ host: 'fd00::1', port: '6443', directory });
    expect(access).toMatchObject({ server: 'https://[fd00::1]:6443', ca: 'PEM' });
    expect(credentialValidity(access)).toBeUndefined();
  });

  test('When the token is replaced, Then it is read after a minute, or at once when asked', async () => {
    let now = 0;
    const file = new TokenFile(join(directory, 'token'), () => now);
    const current = async (options = {}): Promise<string> => (await file.current(options)).reveal();

    expect(await current()).toBe('first');
    await writeFile(join(directory, 'token'), 'second');
    expect(await current()).toBe('first');
    expect(await current({ refresh: true })).toBe('second');
    await writeFile(join(directory, 'token'), 'third');
    now = 61_000;
    expect(await current()).toBe('third');
    await rm(join(directory, 'token'));
    now = 130_000;
    expect(await current()).toBe('third');
  });

  test('When there is no token, Then it fails', async () => {
    await rm(join(directory, 'token'));
    await expect(inClusterAccess({ directory })).rejects.toThrow('ENOENT');
  });
});
