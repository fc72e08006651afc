import type { VolumeStatus } from '@dr-syncer/api';
import type { NewCondition } from '@dr-syncer/kube';

import { guardCodes } from './guard.js';

/** Volumes whose copy the guard has kept from being changed. */
export function stoppedVolumes(volumes: readonly VolumeStatus[]): VolumeStatus[] {
  return volumes.filter(({ phase, reason }) => phase === 'Failed' && isGuardReason(reason));
}

export function isGuardReason(reason: string | undefined): boolean {
  return guardCodes.some((code) => code === reason);
}

/** For as long as a person has to look at something. */
export function guardCondition(volumes: readonly VolumeStatus[]): NewCondition {
  const [first, ...more] = stoppedVolumes(volumes);
  const type = 'DeletionGuard';
  if (first === undefined) {
    return {
      type,
      status: 'False',
      reason: 'NotTripped',
      message: 'No volume was stopped in the last sync.',
    };
  }
  const others = more.length === 0 ? '' : ` And ${more.length} more.`;
  return {
    type,
    status: 'True',
    reason: first.reason ?? type,
    message: `${first.name}: ${first.message ?? ''}${others}`,
  };
}
