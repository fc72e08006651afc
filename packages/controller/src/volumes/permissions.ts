import { DrError, type ErrorCode, type Identity, type VolumeStatus } from '@dr-syncer/api';
import { sleep } from '@dr-syncer/kube';
import type { Params, PermissionsState } from '@dr-syncer/ssh';

import type { Losses } from './identity-status.js';
import type { MountedVolume } from './mounts.js';
import { refOf } from './volume-transfer.js';

/** What of a `Peer` is used. */
export interface PermissionsAgent {
  on(event: 'permissions', listener: (state: PermissionsState) => void): () => void;
  request(
    method: 'permissions.apply',
    params: Params<'permissions.apply'>,
    options: { signal: AbortSignal; timeoutMs: number },
  ): Promise<PermissionsState>;
}

export interface PermissionsPass {
  /** Of the transfer that has ended. */
  readonly id: string;
  /** A connection to the agent of a node. */
  readonly peer: (node: string, signal: AbortSignal) => Promise<PermissionsAgent>;
  readonly volume: MountedVolume;
  readonly identity: Identity;
  /** Called with the counts as they grow. */
  readonly onState: (state: PermissionsState) => void;
}

/** The agent goes on from what is done when it is asked again. */
const LOST: readonly ErrorCode[] = ['AgentUnreachable', 'AgentNotReady', 'Timeout', 'Busy'];
const LOST_MS = 10 * 60_000;
const LONGEST_WAIT_MS = 5_000;

/** Whether files at the destination are to get a group or a label when they have arrived. */
export function needsPermissions({ fsGroup, seLinuxLabel }: Identity): boolean {
  return fsGroup !== undefined || seLinuxLabel !== undefined;
}

/**
 * Gives what a transfer brought the fsGroup and the label of its identity, to the end. A connection that is lost is made
 * anew.
 *
 * @throws DrError SELinuxContextMismatch, PermissionsIncomplete and what the agent refuses
 */
export async function applyPermissions(
  { id, peer, volume, identity, onState }: PermissionsPass,
  signal: AbortSignal,
): Promise<PermissionsState> {
  let heard = performance.now();
  for (let lost = 0; ; lost += 1) {
    try {
      const agent = await peer(volume.node, signal);
      const stop = agent.on('permissions', (state) => {
        heard = performance.now();
        if (state.id === id) onState(state);
      });
      try {
        const params = { id, volume: refOf(volume), identity };
        const state = await agent.request('permissions.apply', params, { signal, timeoutMs: 0 });
        onState(state);
        return state;
      } finally {
        stop();
      }
    } catch (err) {
      signal.throwIfAborted();
      const passes = err instanceof DrError && LOST.includes(err.code);
      if (!passes || performance.now() - heard > LOST_MS) throw err;
      await sleep(Math.min(500 * (lost + 1), LONGEST_WAIT_MS), signal);
    }
  }
}

/** What `status.volumes[].permissions` says: whole numbers, and nothing that is not known. */
export function permissionsStatus(state: PermissionsState): NonNullable<VolumeStatus['permissions']> {
  const { selinux, scope, reason, seen, groupsChanged, modesChanged, labelsChanged } = state;
  const { privilegesDropped, linksRefused, otherMounts, vanished, failed, examples, seconds } = state;
  return {
    ...{ selinux, seen, groupsChanged, modesChanged, labelsChanged },
    ...{ privilegesDropped, linksRefused, otherMounts, vanished, failed },
    seconds: Math.round(seconds),
    ...(scope !== undefined && { scope }),
    ...(reason !== undefined && { reason }),
    ...(examples.length > 0 && { examples }),
  };
}

/** What the pass had to leave as it is, or could not put back. */
export function permissionsLosses(state: PermissionsState): Losses {
  const { privilegesDropped, linksRefused, otherMounts } = state;
  const counted: [string, number, string][] = [
    [
      'privilegesDropped',
      privilegesDropped,
      'setuid, setgid or file capabilities of files that were written meanwhile',
    ],
    ['linksRefused', linksRefused, 'group and label of files that have links outside of the volume'],
    ['otherMounts', otherMounts, 'group and label of what other file systems mounted inside the volume hold'],
  ];
  return counted.flatMap(([what, count, text]) =>
    count === 0 ? [] : [{ what, description: `${text} (${count})` }],
  );
}
