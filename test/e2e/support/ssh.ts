import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Kubectl } from '../../demo/kubectl.js';
import { SYSTEM_NAMESPACE } from '../../demo/standby.js';

/** An entry of a Secret in the system namespace; undefined when it has none of that name. */
export async function secretText(at: Kubectl, name: string, entry: string): Promise<string | undefined> {
  const secret = await at.json<{ data?: Record<string, string> }>([
    ...['get', 'secret', name, '-n', SYSTEM_NAMESPACE],
  ]);
  const value = secret.data?.[entry];
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8');
}

export type SshEnd = 'let in' | 'refused' | 'another host key';

/**
 * OpenSSH's own client against the agent of a node.
 *
 * @param key private key, PEM
 * @param hostKey the line that it has to show
 */
export async function trySsh(address: string, key: string, hostKey: string): Promise<SshEnd> {
  const dir = await mkdtemp(join(tmpdir(), 'dr-syncer-e2e-'));
  try {
    await writeFile(join(dir, 'key'), key, { mode: 0o600 });
    await writeFile(join(dir, 'known_hosts'), `[${address}]:2222 ${hostKey.trim()}\n`);
    const [type = ''] = hostKey.split(' ');
    const algorithms = type === 'ssh-rsa' ? 'rsa-sha2-512' : type;
    const options = ['IdentitiesOnly=yes', 'BatchMode=yes', 'StrictHostKeyChecking=yes'];
    const output = await ssh([
      ...['-F', '/dev/null', '-i', join(dir, 'key'), '-p', '2222', '-l', 'drsyncer'],
      ...[
        ...options,
        `HostKeyAlgorithms=${algorithms}`,
        `UserKnownHostsFile=${join(dir, 'known_hosts')}`,
      ].flatMap((option) => ['-o', option]),
      ...[address, 'id'],
    ]);
    // A key that is let in is told that it is good for the control protocol only.
    if (output.includes('ControlOnly')) return 'let in';
    if (output.includes('Permission denied')) return 'refused';
    if (output.includes('Host key verification failed')) return 'another host key';
    throw new Error(`ssh ended with: ${output}`);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function ssh(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile('ssh', args, { timeout: 20_000 }, (_err, stdout, stderr) =>
      resolve(stdout + stderr),
    );
    child.stdin?.end();
  });
}
