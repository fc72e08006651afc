import { annotation, type VolumeStatus } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

/**
 * Whether the source was brought to rest before the failover began: then the last sync had all that it ever wrote. Pure.
 *
 * @param startedAt of the activation (ISO 8601)
 */
export function isHandedOver(source: KubeObject, startedAt: string): boolean {
  const stopped = source.metadata.annotations?.[annotation.stopped];
  return stopped !== undefined && Date.parse(stopped) <= Date.parse(startedAt);
}

/**
 * What the source has in a volume that the standby never got: the last writes before an unplanned failover, and those after
 * it. A failback replaces them. Pure.
 *
 * @returns undefined: nothing of it is at stake
 */
export function dataConflict({ name, sourceChanges }: VolumeStatus): string | undefined {
  if (sourceChanges === 0) return undefined;
  const what =
    sourceChanges === undefined
      ? 'what the source has written since the last sync is not known'
      : `up to ${sourceChanges} files and directories were written or removed at the source since the last sync`;
  return `conflict: volume ${name}: ${what}. They become what the standby has: save first what you want to keep`;
}
