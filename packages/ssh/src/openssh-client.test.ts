import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DrError } from '@dr-syncer/api';
import { generateTransferKey } from './keys.js';
import { knownHostsText, opensshClientArgv, rsyncRshOption } from './openssh-client.js';

const argv = opensshClientArgv({
  port: 2222,
  user: 'drsyncer',
  agentSocket: '/run/t/agent',
  knownHostsFile: '/run/t/pins',
  connectTimeoutSeconds: 10,
  aliveIntervalSeconds: 15,
});

describe('Given the options for the OpenSSH client', () => {
  test('When the real client reads them Then it means what it should', () => {
    const settings = execFileSync(argv[0]!, ['-G', ...argv.slice(1), 'node-1'], { encoding: 'utf8' }).split(
      '\n',
    );
    expect(settings).toEqual(
      expect.arrayContaining([
        'user drsyncer',
        'port 2222',
        'hostname node-1',
        'batchmode yes',
        'identityagent /run/t/agent',
        'userknownhostsfile /run/t/pins',
        'globalknownhostsfile /dev/null',
        'stricthostkeychecking true',
        'passwordauthentication no',
        'kbdinteractiveauthentication no',
        'ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com',
        'hostkeyalgorithms ssh-ed25519,rsa-sha2-512,rsa-sha2-256',
        'pubkeyacceptedalgorithms ssh-ed25519',
        'controlmaster false',
        'forwardagent no',
        'forwardx11 no',
        'clearallforwardings yes',
        'connecttimeout 10',
        'serveraliveinterval 15',
        'serveralivecountmax 3',
        'escapechar none',
        'loglevel ERROR',
      ]),
    );
    expect(settings.filter((line) => line.startsWith('identityfile'))).toEqual(['identityfile none']);
  });

  test('When the real rsync reads them Then ssh gets exactly these words', () => {
    const dir = mkdtempSync(join(tmpdir(), 'rsh-'));
    const program = join(dir, 'ssh');
    writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" > ${dir}/words\nexit 1\n`, { mode: 0o700 });
    spawnSync('rsync', ['-a', '-e', rsyncRshOption([program, ...argv.slice(1)]), 'node-1:/d/', dir]);
    const words = readFileSync(join(dir, 'words'), 'utf8').split('\n');
    expect(words.slice(0, argv.length)).toEqual([...argv.slice(1), 'node-1']);
    rmSync(dir, { recursive: true });
  });

  test('When they are given to rsync Then they are one string without anything to quote', () => {
    expect(rsyncRshOption(argv).split(' ')).toEqual(argv);
    for (const word of ['a b', "a'b", 'a"b', '', 'a\tb'])
      expect(() => rsyncRshOption([word])).toThrow(DrError);
  });
});

describe('Given pinned host keys', () => {
  const { publicLine } = generateTransferKey('node-1');
  const bare = publicLine.replace(' node-1', '');

  test.each([
    ['node-1', 2222, `[node-1]:2222 ${bare}\n`],
    ['10.0.0.1', 22, `10.0.0.1 ${bare}\n`],
    ['2001:db8::1', 2222, `[2001:db8::1]:2222 ${bare}\n`],
  ])('When the host is %s:%d Then the line is as ssh looks for it', (host, port, line) => {
    expect(knownHostsText(host, port, [publicLine])).toBe(line);
  });

  test.each([
    ['a b', publicLine],
    ['*', publicLine],
    ['a,b', publicLine],
    ['a\n@cert-authority *', publicLine],
    ['', publicLine],
    ['a', 'ssh-ed25519 AAAA'],
    ['a', `${publicLine}\n* ${publicLine}`],
  ])('When the host is %j and the key %.20s Then it is refused', (host, key) => {
    expect(() => knownHostsText(host, 2222, [key])).toThrow(DrError);
  });
});
