import type { Identity } from '@dr-syncer/api';
import type { Params, VolumeRef } from '@dr-syncer/ssh';

/** User and group of this container, and of every rsync that a static line starts: nobody's, with no capability. */
const AGENT_ID = 1000;

const agentIdentity: Identity = {
  uid: AGENT_ID,
  gid: AGENT_ID,
  groups: [AGENT_ID],
  capabilities: [],
  umask: '0022',
  privileged: false,
};

/** Where the product's security page has the directory of the pods' volumes. */
const PUBLISHED_ROOT = '/mnt/data';

const BELOW_PODS =
  /^(\/.*)(\/([0-9a-f][0-9a-f-]{0,63})\/volumes\/kubernetes\.io~[a-z-]{1,40}\/([a-z0-9][-a-z0-9.]{0,252})(?:\/mount)?)$/;

export interface StaticVolume {
  readonly ref: VolumeRef;
  /** Whether `path`, where the mover has found the volume, is what the line names. */
  readonly isAt: (path: string) => boolean;
}

/**
 * The volume that a line of the static file names: the mount that kubelet made for a pod, by its path on the node
 * (`/var/lib/kubelet/pods/UID/volumes/...`), or with `/mnt/data` in place of the directory of all pods. Undefined for
 * anything else, that directory itself among it: one key would reach the volumes of every tenant.
 */
export function staticVolume(dir: string): StaticVolume | undefined {
  const [, root = '', below = '', podUid = '', pvName = ''] = BELOW_PODS.exec(dir) ?? [];
  if (below === '') return undefined;
  return {
    ref: { podUid, pvName },
    isAt: (path) => path === dir || (root === PUBLISHED_ROOT && path.endsWith(`/pods${below}`)),
  };
}

/**
 * What the mover is asked for to run the command of a static line once. It is held to the same grammar as everything,
 * and to what the words ask for themselves.
 *
 * @param argv of rsync, `--server` first; checked already
 */
export function staticGrant(
  id: string,
  { ref }: StaticVolume,
  argv: readonly string[],
  expiresAt: Date,
): Params<'receivers.open'> {
  return {
    id,
    volume: ref,
    direction: argv.includes('--sender') ? 'read' : 'write',
    allowDelete: true,
    expiresAt: expiresAt.toISOString(),
    identity: agentIdentity,
    preserve: { devices: !argv.includes('--drop-D'), fileCapabilities: false },
    // Nobody gives way to it, and it to nobody: whoever comes second is refused.
    holder: id,
    streams: 1,
  };
}
