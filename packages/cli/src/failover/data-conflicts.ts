import type { VolumeStatus } from '@dr-syncer/api';

/**
 * What the source has in a volume that the standby never got: the last writes before an unplanned failover, and those after
 * it. A failback replaces them. Pure.
 *
 * @returns undefined: nothing of it is at stake
 */
export function dataConflict({ name, sourceChanges }: VolumeStatus): string | undefined {
  if (sourceChanges === undefined) {
    return `conflict: volume ${name}: what the source has written since the last sync is not known; it is replaced`;
  }
  const { changed, removed } = sourceChanges;
  if (changed === 0 && removed === 0) return undefined;
  const what = [
    ...(changed > 0 ? [`${changed} changed or new`] : []),
    ...(removed > 0 ? [`${removed} removed`] : []),
  ].join(', ');
  return (
    `conflict: volume ${name}: files and directories at the source since the last sync: ${what}. ` +
    'They become what the standby has: save first what you want to keep'
  );
}
