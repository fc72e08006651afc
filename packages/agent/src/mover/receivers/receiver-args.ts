import { DrError } from '@dr-syncer/api';
import { type Grant, parseRsyncServerArgs, RequestRefused } from '@dr-syncer/ssh';

export interface ReceiverRules {
  readonly direction: Grant['direction'];
  readonly allowDelete: boolean;
  readonly devices: boolean;
  /** As the grant's answer gave it. */
  readonly path: string;
  /** rsync 3.5: knows --confine-root and --drop-D. */
  readonly rsync35: boolean;
  /** What the identity needs, for this side. */
  readonly identityOptions: readonly string[];
}

/** Where a run finds the volume's directory, besides its working directory. */
export const VOLUME_FD = 3;

/**
 * The arguments rsync is started with, in the volume's directory.
 *
 * The words have been checked by the container that talks to the network. They are checked here again, because that
 * container is the one an attacker reaches first and what is started here has other rights than it has.
 *
 * @throws DrError BadRequest
 */
export function receiverArgs(words: readonly string[], rules: ReceiverRules): string[] {
  const { direction, allowDelete, devices, path, rsync35, identityOptions } = rules;
  // Put there by the first check, and by this one again.
  const asked = words.filter((word) => word !== '--drop-D');
  // The first check has taken the slash from its end, without which a client may not name it.
  if (asked.at(-1) === path) asked[asked.length - 1] = '.';
  const { argv } = checked(() =>
    parseRsyncServerArgs(['rsync', ...asked], { direction, allowDelete, allowDevices: devices, path }),
  );
  const options = argv.slice(0, -2).filter((word) => rsync35 || word !== '--drop-D');
  // Filter rules come over the protocol and may name files: this keeps them in the volume (rsync(1), --confine-root).
  const confined = rsync35 ? [`--confine-root=${path}`] : [];
  // Last, so that what the identity needs wins over what the peer asked for.
  return [...options, ...confined, ...identityOptions, '.', whereOf(direction)];
}

/**
 * A receiving rsync works in its working directory. A sending one opens what it sends by an absolute path, which the
 * directories above a volume may not let it: it gets a descriptor (measured with rsync 3.5.0).
 */
function whereOf(direction: Grant['direction']): string {
  return direction === 'write' ? '.' : `/proc/self/fd/${VOLUME_FD}/`;
}

function checked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (err) {
    if (!(err instanceof RequestRefused)) throw err;
    throw new DrError('BadRequest', `the arguments for rsync are not allowed: ${err.code}`, { cause: err });
  }
}
