import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Secret } from '@dr-syncer/api';
import { certificateExpiry, tokenExpiry } from './cluster-access.js';
import { inClusterAccess, TokenFile } from './in-cluster.js';
import { issueCertificate } from './testing/certificates.js';

const server = 'https://h';

function jwt(claims: object): Secret {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return new Secret(`${part({ alg: 'RS256' })}.${part(claims)}.c2ln`);
}

describe('certificateExpiry', () => {
  test('Given a chain, Then the earliest end counts', () => {
    const early = new Date('2030-01-02T03:04:05Z');
    const late = issueCertificate({ commonName: 'a', notAfter: new Date('2040-01-01T00:00:00Z') });
    const cert = late.cert + issueCertificate({ commonName: 'b', notAfter: early }).cert;
    expect(certificateExpiry({ server, cert })).toEqual(early);
  });

  test('Given no certificate, Then there is none', () => {
    expect(certificateExpiry({ server })).toBeUndefined();
  });
});

describe('tokenExpiry', () => {
  test.each([
    ['a JWT', jwt({ exp: 2_000_000_000 }), new Date(2_000_000_000_000)],
    ['a JWT without an end', jwt({ sub: 'x' }), undefined],
    ['a JWT with a senseless end', jwt({ exp: 1e300 }), undefined],
    ['a JWT with a text as end', jwt({ exp: 'x' }), undefined],
    ['an opaque token', new Secret('abc'), undefined],
    ['an opaque token with dots', new Secret('a.b.c'), undefined],
    ['claims that are null', new Secret(`a.${Buffer.from('null').toString('base64url')}.c`), undefined],
  ])('Given %s', (_name, token, expected) => {
    expect(tokenExpiry({ server, token })).toEqual(expected);
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
    expect(tokenExpiry(access)).toBeUndefined();
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
