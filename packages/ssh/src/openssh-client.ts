import { DrError } from '@dr-syncer/api';
import { parsePublicLine } from './public-key.js';

export interface OpensshClientOptions {
  /** Default `/usr/bin/ssh`. */
  readonly program?: string;
  readonly port: number;
  readonly user: string;
  /** Unix socket of the agent that holds the key. */
  readonly agentSocket: string;
  /** What `knownHostsText` gave, as a file. */
  readonly knownHostsFile: string;
  readonly connectTimeoutSeconds: number;
  /** A silent connection ends after three times this. */
  readonly aliveIntervalSeconds: number;
}

/**
 * The `ssh` command and its options, up to but without the host: what rsync's `-e` needs. No configuration file, no
 * key file, no password, no host that is not pinned; everything the client offers is named, see ssh_config(5).
 */
export function opensshClientArgv(options: OpensshClientOptions): string[] {
  return [
    options.program ?? '/usr/bin/ssh',
    '-F',
    '/dev/null',
    // Options that older clients do not have and would stop at.
    ...set('IgnoreUnknown', 'WarnWeakCrypto'),
    ...set('BatchMode', 'yes'),
    ...set('IdentityAgent', options.agentSocket),
    ...set('IdentityFile', 'none'),
    ...set('PreferredAuthentications', 'publickey'),
    ...set('PasswordAuthentication', 'no'),
    ...set('KbdInteractiveAuthentication', 'no'),
    ...set('UserKnownHostsFile', options.knownHostsFile),
    ...set('GlobalKnownHostsFile', '/dev/null'),
    ...set('StrictHostKeyChecking', 'yes'),
    ...set('UpdateHostKeys', 'no'),
    ...set('VerifyHostKeyDNS', 'no'),
    ...set('CheckHostIP', 'no'),
    ...set('HostKeyAlgorithms', 'ssh-ed25519,rsa-sha2-512,rsa-sha2-256'),
    ...set('PubkeyAcceptedAlgorithms', 'ssh-ed25519'),
    ...set('Ciphers', 'aes128-gcm@openssh.com,aes256-gcm@openssh.com'),
    ...set('Compression', 'no'),
    ...set('ForwardAgent', 'no'),
    ...set('ForwardX11', 'no'),
    ...set('ClearAllForwardings', 'yes'),
    ...set('PermitLocalCommand', 'no'),
    ...set('ControlMaster', 'no'),
    ...set('ControlPath', 'none'),
    ...set('RequestTTY', 'no'),
    ...set('EscapeChar', 'none'),
    ...set('LogLevel', 'ERROR'),
    // The agent's server has no post-quantum key exchange; OpenSSH 10.1 says so on each connection.
    ...set('WarnWeakCrypto', 'no'),
    ...set('ConnectTimeout', String(options.connectTimeoutSeconds)),
    ...set('ServerAliveInterval', String(options.aliveIntervalSeconds)),
    ...set('ServerAliveCountMax', '3'),
    ...set('TCPKeepAlive', 'yes'),
    '-l',
    options.user,
    '-p',
    String(options.port),
  ];
}

function set(name: string, value: string): [string, string] {
  return ['-o', `${name}=${value}`];
}

/**
 * The words as one value of rsync's `-e`, which rsync splits at spaces itself (no shell).
 *
 * @throws DrError BadRequest when a word holds a blank, a quote or nothing.
 */
export function rsyncRshOption(argv: readonly string[]): string {
  for (const word of argv) {
    if (!/^[^\s'"]+$/.test(word))
      throw new DrError('BadRequest', 'a word of the ssh command holds a blank or quote');
  }
  return argv.join(' ');
}

/**
 * A known_hosts file with the pinned keys of one host. `keys`: public lines; their comments are left out.
 *
 * @throws DrError BadRequest when the host or a key cannot stand in such a file.
 */
export function knownHostsText(host: string, port: number, keys: readonly string[]): string {
  if (!/^[A-Za-z0-9._:-]+(%[A-Za-z0-9._-]+)?$/.test(host)) {
    throw new DrError('BadRequest', 'the host is no name and no address');
  }
  // ssh looks an address up as it was given, and with the port unless that is 22.
  const name = port === 22 ? host : `[${host}]:${port}`;
  return keys.map((line) => `${name} ${pinnedKey(line)}\n`).join('');
}

function pinnedKey(line: string): string {
  try {
    const { type, blob } = parsePublicLine(line);
    return `${type} ${blob.toString('base64')}`;
  } catch (err) {
    throw new DrError('BadRequest', 'a pinned host key is not usable', { cause: err });
  }
}
