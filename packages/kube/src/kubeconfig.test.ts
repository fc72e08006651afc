import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { DrError } from '@dr-syncer/api';
import fc from 'fast-check';
import { parseKubeconfig } from './kubeconfig.js';
import { issueCertificate } from './testing/certificates.js';
import { authority, certificateUser, client, kubeconfig, SECRET_MARK } from './testing/kubeconfigs.js';

function refusal(text: string | Uint8Array): string {
  try {
    parseKubeconfig(text);
  } catch (err) {
    if (!(err instanceof DrError)) throw err;
    expect(err.code).toBe('KubeconfigRefused');
    expect(inspect(err, { depth: 10 })).not.toContain(SECRET_MARK);
    return err.message.replace('kubeconfig refused: ', '');
  }
  throw new Error('it was accepted');
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('Given a kubeconfig with inline credentials', () => {
  test('When it has a token, Then server, authority and token are taken', () => {
    const access = parseKubeconfig(kubeconfig({ 'tls-server-name': 'api.test' }));

    expect(access.server).toBe('https://10.0.0.1:6443');
    expect(access.ca).toBe(authority.cert);
    expect(access.tlsServerName).toBe('api.test');
    expect(access.token).toMatchObject({ reveal: expect.any(Function) });
    expect(inspect(access) + JSON.stringify(access)).not.toContain(SECRET_MARK);
  });

  test('When it has a client certificate, Then certificate and key are taken and the key does not print', () => {
    const access = parseKubeconfig(kubeconfig({}, certificateUser));

    expect(access.cert).toBe(client.cert);
    expect(access.key?.reveal()).toBe(client.key);
    expect(inspect(access) + JSON.stringify(access)).not.toContain('PRIVATE KEY');
  });

  test.each([
    ['bytes', new TextEncoder().encode(kubeconfig())],
    [
      'JSON',
      JSON.stringify({
        'current-context': 'a',
        clusters: [{ name: 'c', cluster: { server: 'https://h' } }],
        contexts: [{ name: 'a', context: { cluster: 'c', user: 'u', namespace: 'n' } }],
        users: [{ name: 'u', user: { token: 't' } }],
      }),
    ],
    [
      'JSON with many entries',
      JSON.stringify({
        'current-context': '7',
        clusters: range(300).map((i) => ({ name: `${i}`, cluster: { server: 'https://h' } })),
        contexts: range(300).map((i) => ({ name: `${i}`, context: { cluster: `${i}`, user: `${i}` } })),
        users: range(300).map((i) => ({ name: `${i}`, user: { token: 't' } })),
      }),
    ],
    ['no authority (system trust)', kubeconfig({ 'certificate-authority-data': undefined })],
    [
      'a path in the server, as Rancher has',
      kubeconfig({ server: 'https://rancher.test/k8s/clusters/c-1/' }),
    ],
    ['an IPv6 server', kubeconfig({ server: 'https://[fd00::1]:6443' })],
  ])('When it is given as %s, Then it is accepted', (_name, text) => {
    expect(parseKubeconfig(text).server).toMatch(/^https:\/\/[^ ]*[^/ ]$/);
  });

  test('When it has several contexts, Then current-context chooses', () => {
    const clusters = ['a', 'b'].map((name) => ({ name, cluster: { server: `https://${name}.test` } }));
    const contexts = ['a', 'b'].map((name) => ({ name, context: { cluster: name, user: 'u' } }));
    expect(parseKubeconfig(kubeconfig({}, {}, { clusters, contexts, 'current-context': 'b' })).server).toBe(
      'https://b.test',
    );
  });
});

describe('Given a kubeconfig with a field that could do harm', () => {
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', SECRET_MARK] };

  test.each([
    ['exec', kubeconfig({}, { exec }), 'users[0].user.exec is not allowed'],
    [
      'auth-provider gcp',
      kubeconfig({}, { 'auth-provider': { name: 'gcp', config: { 'cmd-path': SECRET_MARK } } }),
      'users[0].user.auth-provider is not allowed',
    ],
    [
      'auth-provider azure',
      kubeconfig({}, { 'auth-provider': { name: 'azure', config: { 'cmd-path': SECRET_MARK } } }),
      'users[0].user.auth-provider is not allowed',
    ],
    [
      'auth-provider exec',
      kubeconfig({}, { 'auth-provider': { config: { exec } } }),
      'users[0].user.auth-provider is not allowed',
    ],
    [
      'auth-provider tokenFile',
      kubeconfig({}, { 'auth-provider': { name: 'tokenFile', config: { tokenFile: '/x' } } }),
      'users[0].user.auth-provider is not allowed',
    ],
    [
      'tokenFile',
      kubeconfig({}, { tokenFile: '/var/run/secrets/token' }),
      'users[0].user.tokenFile is not allowed',
    ],
    [
      'username',
      kubeconfig({}, { username: SECRET_MARK, password: SECRET_MARK }),
      'users[0].user.username is not allowed; users[0].user.password is not allowed',
    ],
    [
      'client-certificate',
      kubeconfig({}, { 'client-certificate': '/x' }),
      'users[0].user.client-certificate is not allowed',
    ],
    ['client-key', kubeconfig({}, { 'client-key': '/x' }), 'users[0].user.client-key is not allowed'],
    [
      'impersonation',
      kubeconfig({}, { as: 'admin', 'as-groups': ['system:masters'] }),
      'users[0].user.as is not allowed; users[0].user.as-groups is not allowed',
    ],
    [
      'certificate-authority',
      kubeconfig({ 'certificate-authority': '/etc/passwd' }),
      'clusters[0].cluster.certificate-authority is not allowed',
    ],
    [
      'insecure-skip-tls-verify',
      kubeconfig({ 'insecure-skip-tls-verify': true }),
      'clusters[0].cluster.insecure-skip-tls-verify is not allowed',
    ],
    [
      'proxy-url',
      kubeconfig({ 'proxy-url': 'http://attacker' }),
      'clusters[0].cluster.proxy-url is not allowed',
    ],
    ['extensions', kubeconfig({ extensions: [] }), 'clusters[0].cluster.extensions is not allowed'],
    ['an unknown field on top', kubeconfig({}, {}, { plugins: [] }), 'plugins is not allowed'],
    [
      'a secret as a field',
      kubeconfig({}, { [SECRET_MARK]: 1 }),
      'users[0].user.<unknown field> is not allowed',
    ],
    ['http', kubeconfig({ server: 'http://10.0.0.1' }), 'clusters[0].cluster.server is not an https URL'],
    ['no URL', kubeconfig({ server: SECRET_MARK }), 'clusters[0].cluster.server is not a URL'],
    [
      'credentials in the URL',
      kubeconfig({ server: `https://u:${SECRET_MARK}@h` }),
      'clusters[0].cluster.server holds credentials',
    ],
    [
      'a query in the URL',
      kubeconfig({ server: `https://h/?a=${SECRET_MARK}` }),
      'clusters[0].cluster.server has a query or a fragment',
    ],
    [
      'a header in the token',
      kubeconfig({}, { token: `${SECRET_MARK}\r\nX-Remote-User: admin` }),
      'users[0].user.token is not valid',
    ],
    [
      'a number as token',
      kubeconfig({}, { token: 5 }),
      'users[0].user.token is missing or of the wrong type',
    ],
    [
      'an empty user',
      kubeconfig({}, { token: undefined }),
      'users[0].user has neither token nor client-certificate-data',
    ],
    [
      'a key without certificate',
      kubeconfig({}, { ...certificateUser, 'client-certificate-data': undefined }),
      'users[0].user.client-certificate-data is missing beside client-key-data',
    ],
    [
      'a certificate without key',
      kubeconfig({}, { ...certificateUser, 'client-key-data': undefined }),
      'users[0].user.client-key-data is missing beside client-certificate-data',
    ],
    [
      'a key that is none',
      kubeconfig({}, { ...certificateUser, 'client-key-data': base64(SECRET_MARK) }),
      'users[0].user.client-key-data is not an unencrypted PEM private key',
    ],
    [
      'the key of another',
      kubeconfig(
        {},
        { ...certificateUser, 'client-key-data': base64(issueCertificate({ commonName: 'x' }).key) },
      ),
      'users[0].user.client-key-data does not belong to client-certificate-data',
    ],
    [
      'an authority that is none',
      kubeconfig({ 'certificate-authority-data': base64('hello') }),
      'clusters[0].cluster.certificate-authority-data holds no valid PEM certificate',
    ],
    [
      'an authority that is no base64',
      kubeconfig({ 'certificate-authority-data': '***' }),
      'clusters[0].cluster.certificate-authority-data is not base64',
    ],
    [
      'no context',
      kubeconfig({}, {}, { 'current-context': 'other' }),
      'current-context names no entry of contexts',
    ],
    [
      'no current-context',
      kubeconfig({}, {}, { 'current-context': undefined }),
      'current-context is missing or of the wrong type',
    ],
    [
      'two contexts of one name',
      kubeconfig(
        {},
        {},
        { contexts: [1, 2].map(() => ({ name: 'main', context: { cluster: 'c', user: 'u' } })) },
      ),
      'current-context names 2 entries of contexts',
    ],
    [
      'a context without its cluster',
      kubeconfig({}, {}, { contexts: [{ name: 'main', context: { cluster: 'x', user: 'u' } }] }),
      'contexts[0].context.cluster names no entry of clusters',
    ],
    [
      'a second user with exec, unused',
      kubeconfig(
        {},
        {},
        {
          users: [
            { name: 'u', user: { token: 't' } },
            { name: 'v', user: { exec } },
          ],
        },
      ),
      'users[1].user.exec is not allowed',
    ],
    ['an empty text', '', 'the text is missing or of the wrong type'],
    ['a list', '- 1', 'the text is missing or of the wrong type'],
    ['a text', SECRET_MARK, 'the text is missing or of the wrong type'],
    [
      'a syntax error',
      `${kubeconfig()}\n  ${SECRET_MARK}: [`,
      expect.stringMatching(/^the text is not valid YAML at line \d+ \([A-Z_]+\)$/),
    ],
    ['an anchor', kubeconfig().replace('kind: Config', 'kind: &a Config'), 'the text uses a YAML anchor'],
    [
      'an alias',
      kubeconfig().replace('kind: Config', 'kind: *a'),
      expect.stringMatching(/^the text (uses a YAML alias|is not valid YAML)/),
    ],
    ['a tag', kubeconfig().replace('kind: Config', 'kind: !!str Config'), 'the text uses a YAML tag'],
    ['two documents', `${kubeconfig()}---\n${kubeconfig()}`, expect.stringContaining('MULTIPLE_DOCS')],
    ['a key twice', `${kubeconfig()}kind: Config\n`, expect.stringContaining('DUPLICATE_KEY')],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0x3a, 0xff]), 'the text is not valid UTF-8'],
  ])('When it has %s, Then it is refused by the path of the field', (_name, text, expected) => {
    expect(refusal(text)).toEqual(expected);
  });

  test('When it has very many refused fields, Then the message stays short', () => {
    const user = Object.fromEntries(
      range(200).map((i) => [`a${'b'.repeat(i % 30)}-${'c'.repeat(i / 30)}`, 1]),
    );
    expect(refusal(JSON.stringify({ users: [{ name: 'u', user }] })).length).toBeLessThan(1000);
  });
});

describe('Given a text made to exhaust the parser', () => {
  const laughs = `a: &a [x,x]\n${range(20)
    .map((i) => `b${i}: &b${i} [*a,*a,*a,*a]`)
    .join('\n')}`;

  // Nested compact lists of this size end the whole process when yaml 2.9.1 sees them.
  test.each([
    ['ten megabytes', 'a: '.padEnd(10_000_000, 'x')],
    ['nested lists on one line', '- '.repeat(60_000)],
    ['nested keys on one line', '? '.repeat(60_000)],
    ['nested flow lists', '['.repeat(120_000)],
    ['nested flow maps', '{a: '.repeat(30_000)],
    ['nested JSON', `{"a":${'['.repeat(60_000)}${']'.repeat(60_000)}}`],
    [
      'deep indentation',
      range(400)
        .map((i) => `${' '.repeat(i)}a:`)
        .join('\n'),
    ],
    ['a wide indentation', `${' '.repeat(100_000)}a: b`],
    ['a wide list item', `- ${' '.repeat(100_000)}- b`],
    ['tabs', `a:${'\t'.repeat(100_000)}b`],
    ['tags', '!!a '.repeat(30_000)],
    ['anchors', 'a: &a '.repeat(20_000)],
    [
      'very many keys',
      range(20_000)
        .map((i) => `${i}: `)
        .join('\n'),
    ],
    ['very many keys in a flow map', `a: {${range(20_000).join(',')}}`],
    ['a billion laughs', laughs],
    ['long quoted text', `a: "${'\\"'.repeat(60_000)}`],
    ['colons', ':'.repeat(120_000)],
    ['comments', '#'.repeat(120_000)],
    ['line breaks', '\n'.repeat(120_000)],
    ['carriage returns', 'a:\r'.repeat(40_000)],
  ])('When it is %s, Then it is refused within a second', (_name, text) => {
    const begun = performance.now();
    refusal(text);
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  test('When it is random, Then it is refused with our own error and never anything else', () => {
    const fragment = fc.constantFrom(
      '- ',
      '? ',
      ': ',
      'a',
      '\n',
      ' ',
      '\t',
      '"',
      "'",
      '|',
      '>',
      '{',
      '[',
      ']',
      '}',
      ',',
      '&a',
      '*a',
      '!',
      '%',
      '---',
      '...',
      '#',
      SECRET_MARK,
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 200 }), (parts) => {
        expect(refusal(parts.join(''))).not.toBe('');
      }),
      { numRuns: 500 },
    );
  });
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
