import { DrError } from '@dr-syncer/api';
import type { PermissionsState } from '@dr-syncer/ssh';

import { type Mount, optionValue } from '../mover/volumes/mountinfo.js';
import { sameContext } from './context.js';

/**
 * What there is to do about the labels of a volume, from how it is mounted. Kubelet mounts with the context where the
 * claim, the driver and the pods allow it (KEP-1710); then there is one label for the whole file system, and writing
 * another one to a file fails.
 *
 * @param label wanted; undefined: labels are left alone
 * @throws DrError SELinuxContextMismatch
 */
export function labelOutcome(
  label: string | undefined,
  enabled: boolean,
  mount: Pick<Mount, 'superOptions' | 'mountPoint'>,
): PermissionsState['selinux'] {
  if (label === undefined) return 'NotWanted';
  const mounted = optionValue(mount.superOptions, 'context');
  if (mounted !== undefined) {
    if (sameContext(mounted, label)) return 'MountedWithContext';
    throw new DrError(
      'SELinuxContextMismatch',
      `the volume at ${mount.mountPoint} is mounted with the context ${mounted}; its files should have ${label}`,
    );
  }
  // Only a kernel that runs SELinux says so.
  if (mount.superOptions.includes('seclabel')) return 'Labelled';
  return enabled ? 'Unsupported' : 'Disabled';
}
