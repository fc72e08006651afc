import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';

import { end, freePort, saying, timed } from './process.js';

export interface Target {
  readonly name: 'ours' | 'peer';
  readonly port: number;
  readonly user: string;
  readonly keyFile: string;
  /** Where pushed files go. */
  readonly volume: string;
}

export interface Servers {
  readonly ours: Target & { readonly pid: number };
  readonly peer: Target;
  readonly stop: () => Promise<void>;
}

async function keygen(file: string): Promise<string> {
  await timed('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  return (await readFile(`${file}.pub`, 'utf8')).trim();
}

function start(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The stand-alone server of the agent and Debian's sshd, both on loopback, both with the same rsync. */
export async function startServers(dir: string, agent: string): Promise<Servers> {
  const keyFile = join(dir, 'client');
  const clientKey = await keygen(keyFile);
  const ours = await startOurs(dir, agent, keyFile, clientKey);
  const peer = await startSshd(dir, keyFile, clientKey);
  return {
    ours: { ...ours.target, pid: ours.child.pid ?? 0 },
    peer: peer.target,
    stop: async () => {
      await end(ours.child);
      await end(peer.child);
    },
  };
}

interface Started {
  readonly target: Target;
  readonly child: ChildProcess;
}

async function startOurs(dir: string, agent: string, keyFile: string, clientKey: string): Promise<Started> {
  const volume = join(dir, 'volumes/ours');
  await mkdir(volume, { recursive: true });
  await keygen(join(dir, 'host-ours'));
  const keys = join(dir, 'authorized_keys-ours');
  await writeFile(keys, `restrict,command="dr-syncer-rsync ${volume}" ${clientKey}\n`);
  const port = await freePort();
  const child = start(process.execPath, [
    agent,
    'serve',
    ...['--listen', `127.0.0.1:${port}`],
    ...['--host-key', join(dir, 'host-ours')],
    ...['--authorized-keys', keys],
    ...['--volumes-root', join(dir, 'volumes')],
  ]);
  await saying(child, /listening/);
  return { target: { name: 'ours', port, user: 'drsyncer', keyFile, volume }, child };
}

async function startSshd(dir: string, keyFile: string, clientKey: string): Promise<Started> {
  const volume = join(dir, 'volumes/peer');
  await mkdir(volume, { recursive: true });
  await keygen(join(dir, 'host-peer'));
  const keys = join(dir, 'authorized_keys-peer');
  await writeFile(keys, `restrict ${clientKey}\n`, { mode: 0o600 });
  // Debian's sshd, when root, wants this directory, which its service file makes.
  if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  const config = join(dir, 'sshd_config');
  await writeFile(
    config,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(dir, 'host-peer')}`,
      `AuthorizedKeysFile ${keys}`,
      'PidFile none',
      'UsePAM no',
      'StrictModes no',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'Ciphers aes128-gcm@openssh.com',
      'MaxStartups 1000',
    ].join('\n'),
  );
  const child = start('/usr/sbin/sshd', ['-D', '-e', '-f', config]);
  await saying(child, /Server listening/);
  return { target: { name: 'peer', port, user: userInfo().username, keyFile, volume }, child };
}

/** The same client, cipher and options for both. */
export function sshArgs({ port, keyFile }: Target, portOverride = port): string[] {
  return [
    ...['-F', 'none', '-p', String(portOverride), '-i', keyFile],
    ...['IdentitiesOnly=yes', 'IdentityAgent=none', 'BatchMode=yes', 'Ciphers=aes128-gcm@openssh.com'],
    ...['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'],
  ].flatMap((word) => (/^[A-Z]/.test(word) ? ['-o', word] : [word]));
}

export const rsh = (target: Target, port?: number) => ['ssh', ...sshArgs(target, port)].join(' ');
export const remote = (target: Target) => `${target.user}@127.0.0.1:${target.volume}/`;
