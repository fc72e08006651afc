import { DrError, identitySchema, type Identity } from '@dr-syncer/api';
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';

const SETPRIV = '/usr/bin/setpriv';

/**
 * The command that turns into `program` with exactly this identity (setpriv of util-linux 2.38 and later): user,
 * group and groups by number, every set of capabilities, no way to gain more, and death with its parent.
 *
 * setpriv itself accepts names, and takes 4294967295 for "leave it as it is", which is root; so the identity is
 * checked here again, whoever made it.
 *
 * @param program absolute path. @throws DrError IdentityRefused when the identity is none.
 */
export function launchArgv(identity: Identity, program: string, args: readonly string[]): string[] {
  const checked = identitySchema.safeParse(identity);
  if (!checked.success)
    throw new DrError('IdentityRefused', 'the identity to start a process with is not valid');
  if (!program.startsWith('/'))
    throw new DrError('BadRequest', 'the program to start is not an absolute path');
  const { uid, gid, groups, capabilities } = checked.data;
  const set = ['-all', ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(',');
  return [
    SETPRIV,
    '--reuid',
    String(uid),
    '--regid',
    String(gid),
    ...(groups.length > 0 ? ['--groups', groups.join(',')] : ['--clear-groups']),
    `--inh-caps=${set}`,
    `--ambient-caps=${set}`,
    `--bounding-set=${set}`,
    // Root would be given the whole bounding set anew at each exec; with this it has what is inherited, like others.
    ...(uid === 0 ? ['--securebits', '+noroot,+noroot_locked'] : []),
    '--no-new-privs',
    '--pdeathsig',
    'KILL',
    '--',
    program,
    ...args,
  ];
}

/**
 * Starts `program` with the identity, umask included. Nothing may be sent to the child before `verifyProcess` has
 * looked at it. The parent-death signal belongs to the calling thread, so call it from the main thread (which is
 * also the only one that may set the umask).
 */
export function launch(
  identity: Identity,
  program: string,
  args: readonly string[],
  options: Omit<SpawnOptions, 'uid' | 'gid' | 'shell'>,
): ChildProcess {
  const [command = SETPRIV, ...rest] = launchArgv(identity, program, args);
  // The umask is the whole process's, but spawn has forked when it returns, and nothing else runs in between.
  const before = process.umask(identity.umask);
  try {
    return spawn(command, rest, { ...options, shell: false });
  } finally {
    process.umask(before);
  }
}
