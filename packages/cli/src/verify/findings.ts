import type { ReplicationStatus, VolumeStatus } from '@dr-syncer/api';

import { defined } from '../defined.js';

/** What was found out about the copy of one volume. */
export interface Finding {
  readonly volume: string;
  /** Unknown: it was not compared as was asked for, and `message` says why. */
  readonly result: 'Same' | 'Differs' | 'Unknown';
  readonly mode: string;
  /** Entries that were compared. */
  readonly checked?: number;
  readonly message?: string;
  /** The first paths that differ, relative to the root of the volume. */
  readonly differences: readonly string[];
}

/**
 * What the status says about the copies after the sync of this request. Pure.
 *
 * @param volume this one alone; undefined: all
 * @returns one finding a volume; of a volume that is asked for and not there, that it is unknown
 */
export function findingsOf(
  status: ReplicationStatus,
  { request, mode, volume }: { request: string; mode: string; volume?: string | undefined },
): Finding[] {
  const listed = (status.volumes ?? []).filter(({ name }) => volume === undefined || name === volume);
  const isOurs = status.lastSyncRequest === request;
  if (volume !== undefined && listed.length === 0) {
    return [unknown(volume, mode, 'the Replication copies no volume of that name')];
  }
  const other = `the sync was made for another request (${status.lastSyncRequest ?? 'none'}); ask again`;
  return listed.map((one) => (isOurs ? findingOf(one, mode) : unknown(one.name, mode, other)));
}

function findingOf({ name, phase, reason, message, verification }: VolumeStatus, mode: string): Finding {
  if (verification?.mode !== mode) {
    const why = [reason, message].filter(Boolean).join(': ');
    return unknown(name, mode, why === '' ? `it was not compared (${phase})` : why);
  }
  const { result, checked, message: note, differences = [] } = verification;
  const known = result === 'Passed' ? 'Same' : result === 'Failed' ? 'Differs' : 'Unknown';
  return { volume: name, result: known, mode, differences, ...defined({ checked, message: note }) };
}

function unknown(volume: string, mode: string, message: string): Finding {
  return { volume, result: 'Unknown', mode, message, differences: [] };
}

/** One row a volume, and one for each of its paths that differ. */
export function findingRows(findings: readonly Finding[]): string[][] {
  return [
    ['VOLUME', 'RESULT', 'MODE', 'COMPARED', 'DETAILS'],
    ...findings.flatMap(({ volume, result, mode, checked, message, differences }) => [
      [volume, result, mode, checked === undefined ? '' : String(checked), message ?? ''],
      ...differences.map((path) => ['', '', '', '', path]),
    ]),
  ];
}
