import { describe, expect, test } from '@jest/globals';

import { agentDaemonSet } from './clusters/agent-objects.js';
import { agentEnvironment, readConfig } from './config.js';

interface PodTemplate {
  template: { spec: { containers: { name: string; env: { name: string; value?: string }[] }[] } };
}

/** Variables of a container of the agents that a controller with this environment installs. */
function variables(env: NodeJS.ProcessEnv, container: string): Record<string, string | undefined> {
  const daemonSet = agentDaemonSet({
    image: 'agent',
    kubeletDir: '/var/lib/kubelet',
    port: 2222,
    environment: agentEnvironment(readConfig(env)),
  });
  const { containers } = (daemonSet as unknown as { spec: PodTemplate }).spec.template.spec;
  const found = containers.find(({ name }) => name === container)?.env ?? [];
  return Object.fromEntries(found.map(({ name, value }) => [name, value]));
}

describe('Given settings of the controller that are for its agents', () => {
  test('When they are not set, then the audit log is on and the agents have their own defaults', () => {
    const ssh = variables({}, 'ssh');
    expect(ssh).toMatchObject({ LOG_LEVEL: 'info', ENABLE_AUDIT_LOG: 'true' });
    expect(Object.keys(ssh)).not.toContain('SSH_LIMITS');
    expect(Object.keys(ssh)).not.toContain('SSH_ALGORITHMS');
  });

  test('When they are set, then the agents get them', () => {
    const env = {
      LOG_LEVEL: 'debug',
      ENABLE_AUDIT_LOG: 'false',
      AGENT_SSH_LIMITS: '{"loginGraceSeconds":20}',
      AGENT_SSH_ALGORITHMS: '{"cipher":["aes256-gcm@openssh.com"]}',
    };
    expect(variables(env, 'ssh')).toMatchObject({
      LOG_LEVEL: 'debug',
      ENABLE_AUDIT_LOG: 'false',
      SSH_LIMITS: '{"loginGraceSeconds":20}',
      SSH_ALGORITHMS: '{"cipher":["aes256-gcm@openssh.com"]}',
    });
    expect(variables(env, 'mover')).toMatchObject({ LOG_LEVEL: 'debug' });
  });

  test.each([
    ['AGENT_SSH_LIMITS', '{', 'AGENT_SSH_LIMITS: is not JSON'],
    ['AGENT_SSH_LIMITS', '{"authAttempts":0}', 'AGENT_SSH_LIMITS.authAttempts: '],
    ['AGENT_SSH_ALGORITHMS', '{"cipher":["aes128-cbc"]}', 'AGENT_SSH_ALGORITHMS.cipher.0: '],
    ['ENABLE_AUDIT_LOG', 'yes', 'ENABLE_AUDIT_LOG: '],
  ])('When %s is %s, then the start fails with a message that names it', (name, text, message) => {
    expect(() => readConfig({ [name]: text })).toThrow(`settings: ${message}`);
  });
});
