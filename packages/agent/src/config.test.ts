import { describe, expect, test } from '@jest/globals';

import { readAgentConfig } from './config.js';

describe('Given the variables of the SSH server', () => {
  test('When none is set, or they are empty, then limits and algorithms are the defaults', () => {
    const { SSH_LIMITS, SSH_ALGORITHMS } = readAgentConfig({});
    expect(SSH_LIMITS).toMatchObject({ loginGraceSeconds: 30, startups: { start: 1024, full: 2048 } });
    expect(SSH_ALGORITHMS.cipher).toEqual(['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com']);
    expect(readAgentConfig({ SSH_LIMITS: '', SSH_ALGORITHMS: ' ' })).toEqual(readAgentConfig({}));
  });

  test('When some are set, then those are taken and the rest stay', () => {
    const config = readAgentConfig({
      SSH_LIMITS: '{"loginGraceSeconds": 5, "startups": {"start": 10}}',
      SSH_ALGORITHMS: '{"cipher": ["aes256-gcm@openssh.com"]}',
    });
    expect(config.SSH_LIMITS).toMatchObject({
      loginGraceSeconds: 5,
      startups: { start: 10, ratePercent: 30, full: 2048 },
      authAttempts: 6,
    });
    expect(config.SSH_ALGORITHMS.cipher).toEqual(['aes256-gcm@openssh.com']);
    expect(config.SSH_ALGORITHMS.kex).toContain('curve25519-sha256');
  });

  test.each([
    ['SSH_LIMITS', '{', 'SSH_LIMITS: is not JSON'],
    ['SSH_LIMITS', '[]', 'SSH_LIMITS: '],
    ['SSH_LIMITS', '5', 'SSH_LIMITS: '],
    ['SSH_LIMITS', '{"loginGraceSeconds": 0}', 'SSH_LIMITS.loginGraceSeconds: '],
    ['SSH_LIMITS', '{"loginGraceSeconds": 3000000}', 'SSH_LIMITS.loginGraceSeconds: '],
    ['SSH_LIMITS', '{"loginGraceSeconds": "5"}', 'SSH_LIMITS.loginGraceSeconds: '],
    ['SSH_LIMITS', '{"startups": {"start": -1}}', 'SSH_LIMITS.startups.start: '],
    ['SSH_LIMITS', '{"startups": {"start": 9000}}', 'SSH_LIMITS.startups.full: has to be at least "start"'],
    ['SSH_LIMITS', '{"sendBufferMaxBytes": 2048}', 'SSH_LIMITS.sendBufferMaxBytes: has to be at least'],
    ['SSH_LIMITS', '{"maxStartups": 1}', 'SSH_LIMITS: Unrecognized key: "maxStartups"'],
    ['SSH_ALGORITHMS', '{"cipher": []}', 'SSH_ALGORITHMS.cipher: '],
    ['SSH_ALGORITHMS', '{"cipher": ["aes128-cbc"]}', 'SSH_ALGORITHMS.cipher.0: '],
    ['SSH_ALGORITHMS', '{"kex": ["diffie-hellman-group14-sha1"]}', 'SSH_ALGORITHMS.kex.0: '],
    ['SSH_ALGORITHMS', '{"serverHostKey": ["ssh-rsa"]}', 'SSH_ALGORITHMS: Unrecognized key: "serverHostKey"'],
  ])('When %s is %s, then the start fails with a message that names it', (name, text, message) => {
    expect(() => readAgentConfig({ [name]: text })).toThrow(`settings: ${message}`);
  });
});
