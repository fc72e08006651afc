import { DrError } from '@dr-syncer/api';
import { opensshClientArgv, rsyncRshOption } from '@dr-syncer/ssh';

export interface SshTools {
  readonly sshPath: string;
  /** libnss_wrapper.so */
  readonly nssWrapperPath: string;
}

export interface SshFiles {
  readonly agentSocket: string;
  readonly knownHosts: string;
  readonly passwd: string;
  readonly group: string;
}

const CONNECT_TIMEOUT_SECONDS = 15;
const ALIVE_INTERVAL_SECONDS = 15;

/**
 * The value of rsync's `-e`. ssh needs none of the rights of the rsync that starts it, so it gets none, and it ends with
 * it. It refuses to run for a uid that no passwd file knows ("No user exists for uid"), and the uids of tenants are in
 * none: libnss_wrapper shows it one with that single user. The wrapper is for ssh alone.
 *
 * @throws DrError BadRequest when a path cannot stand in `-e`
 */
export function sshRemoteShell(tools: SshTools, files: SshFiles, user: string, port: number): string {
  return rsyncRshOption([
    '/usr/bin/setpriv',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--pdeathsig=KILL',
    '/usr/bin/env',
    `LD_PRELOAD=${tools.nssWrapperPath}`,
    `NSS_WRAPPER_PASSWD=${files.passwd}`,
    `NSS_WRAPPER_GROUP=${files.group}`,
    ...opensshClientArgv({
      program: tools.sshPath,
      port,
      user,
      agentSocket: files.agentSocket,
      knownHostsFile: files.knownHosts,
      connectTimeoutSeconds: CONNECT_TIMEOUT_SECONDS,
      aliveIntervalSeconds: ALIVE_INTERVAL_SECONDS,
    }),
  ]);
}

/** One user, without a home and a shell. */
export function passwdText(uid: number, gid: number): string {
  return `drsyncer:x:${uid}:${gid}::/nonexistent:/bin/false\n`;
}

export function groupText(gid: number): string {
  return `drsyncer:x:${gid}:\n`;
}

/**
 * A host name or address that no program takes for an option or a path.
 *
 * @throws DrError BadRequest
 */
export function checkHost(host: string): string {
  if (/^[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9])?(%[A-Za-z0-9._-]+)?$/.test(host)) return host;
  throw new DrError('BadRequest', 'the host is no name and no address');
}
