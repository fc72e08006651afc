import { describe, expect, test } from '@jest/globals';

import { wordsOf } from './words.js';

const secret = (data: Record<string, string>) => ({
  metadata: { name: 's' },
  data: Object.fromEntries(
    Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
  ),
});

describe('Given a Secret', () => {
  test('its values count, plain and as base64, if they are long enough to stand for themselves', () => {
    const words = wordsOf(secret({ password: 'correct-horse-battery', user: 'admin' }));

    expect(words).toEqual(['correct-horse-battery', Buffer.from('correct-horse-battery').toString('base64')]);
  });

  test('each line of a key counts, what frames it and its public half do not', () => {
    const line = 'MIIEowIBAAKCAQEAx1y2z3'.padEnd(64, 'Q');
    const words = wordsOf(
      secret({
        id_rsa: `-----BEGIN RSA PRIVATE KEY-----\n${line}\n-----END RSA PRIVATE KEY-----\n`,
        'id_rsa.pub': 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ comment',
      }),
    );

    expect(words).toContain(line);
    expect(words.some((word) => word.startsWith('-----') || word.includes('ssh-rsa'))).toBe(false);
  });

  test('of a kubeconfig the logins count, not the server and its CA', () => {
    const words = wordsOf(
      secret({
        kubeconfig: `apiVersion: v1
kind: Config
clusters: [{ name: c, cluster: { server: 'https://api.example.com:6443', certificate-authority-data: 'TUlJQ0FRPT1BQUFBQUFB' } }]
users: [{ name: u, user: { token: 'eyJhbGciOiJSUzI1NiJ9.payload.signature' } }]
`,
      }),
    );

    expect(words[0]).toBe('eyJhbGciOiJSUzI1NiJ9.payload.signature');
    expect(words).toHaveLength(2);
  });
});
