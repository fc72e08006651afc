import type { Identity } from '@dr-syncer/api';

import { sameContext } from '../../selinux/context.js';
import { markerText, type RootFacts, type Wanted } from './marker.js';

/** What is known of the transfers into a volume since its marker was taken away; undefined: there was none. */
export interface KnownChanges {
  /** The marker that was there before the first of them. */
  readonly before: string | undefined;
  /** Paths below the root as Latin-1, `.` for the root itself; `all`: they could not all be followed. */
  readonly names: ReadonlySet<string> | 'all';
}

export type PassPlan =
  | { readonly scope: 'None' }
  | { readonly scope: 'Changed'; readonly names: ReadonlySet<string> }
  | { readonly scope: 'All'; readonly reason: string };

/** kubelet's for a directory: rwMask, execMask and setgid (requiresPermissionChange in pkg/volume/volume_linux.go). */
const DIRECTORY_BITS = 0o2770;

/**
 * Which entries have to be looked at. As kubelet does, the root directory tells: it is changed last, so if it is not as
 * wanted, others may not be either. Kubelet trusts it alone; transfers write below it, so here it takes the marker too,
 * which is taken away before a transfer and put back after the pass that follows.
 *
 * `Always`, asked for by name, looks at everything each time. Without a policy it is `OnRootMismatch`: nobody but
 * transfers writes to a standby volume, so both come to the same.
 */
export function planPass(
  wanted: Wanted,
  policy: Identity['fsGroupChangePolicy'],
  root: RootFacts,
  known: KnownChanges | undefined,
): PassPlan {
  if (wanted.fsGroup === undefined && wanted.label === undefined) return { scope: 'None' };
  const names = known?.names ?? new Set<string>();
  const reason = whyAll(wanted, policy, root, known ?? { before: root.marker, names });
  if (reason !== undefined) return { scope: 'All', reason };
  if (names === 'all')
    return { scope: 'All', reason: 'a transfer was cut off, or changed very many entries' };
  return names.size === 0 ? { scope: 'None' } : { scope: 'Changed', names };
}

function whyAll(
  wanted: Wanted,
  policy: Identity['fsGroupChangePolicy'],
  root: RootFacts,
  { before, names }: KnownChanges,
): string | undefined {
  if (wanted.fsGroup !== undefined && policy === 'Always') return 'fsGroupChangePolicy is Always';
  if (before === undefined) return 'the volume has not been gone through before';
  if (before !== markerText(wanted, root))
    return 'the volume was gone through for another group, label or disk';
  // What a transfer did to the root is among the changes, and the root is set in any case.
  if (rootIsRight(wanted, root) || names === 'all' || names.has('.')) return undefined;
  return 'the root directory has not the group, mode or label';
}

function rootIsRight({ fsGroup, label }: Wanted, root: RootFacts): boolean {
  const group =
    fsGroup === undefined || (root.group === fsGroup && (root.mode & DIRECTORY_BITS) === DIRECTORY_BITS);
  return group && (label === undefined || (root.label !== undefined && sameContext(root.label, label)));
}
