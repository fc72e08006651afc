import { DrError } from '@dr-syncer/api';
import type { VolumeInfo } from '@dr-syncer/ssh';

import type { CopyRecord } from './copy-record.js';

export interface Counts {
  readonly files: number;
  readonly bytes: number;
}

export interface GuardFacts {
  readonly claim: string;
  /** Name of the source's PersistentVolume. */
  readonly pv: string;
  readonly source: Pick<VolumeInfo, 'empty' | 'rootId'>;
  readonly destination: Pick<VolumeInfo, 'empty'>;
  readonly record: CopyRecord | undefined;
}

/** Is it the volume that was copied before, and is there anything in it? Answered before it is counted. */
export function identityProblem({ claim, pv, source, destination, record }: GuardFacts): DrError | undefined {
  // Nothing to lose: the copy holds nothing.
  if (destination.empty) return undefined;
  if (source.empty) {
    return new DrError('SourceEmpty', `the volume of claim ${claim} is empty, its copy is not`);
  }
  if (record?.pv !== undefined && record.pv !== pv) {
    return new DrError(
      'SourceVolumeChanged',
      `claim ${claim} has the volume ${pv} now, the copy was made from ${record.pv}`,
    );
  }
  if (record?.root !== undefined && record.root !== source.rootId) {
    return new DrError(
      'SourceVolumeChanged',
      `what is mounted as the volume ${pv} of claim ${claim} is another file system than the one that the copy was made from`,
    );
  }
  return undefined;
}

/**
 * Has it shrunk?
 *
 * @param before what the copy holds
 * @param percent how much of it may be gone; 100: all but everything
 */
export function shrinkProblem(
  claim: string,
  before: Counts,
  now: Counts,
  percent: number,
): DrError | undefined {
  const lost = (['files', 'bytes'] as const).find((what) => now[what] < before[what] * (1 - percent / 100));
  if (lost === undefined) return undefined;
  const share = Math.floor((1 - now[lost] / before[lost]) * 100);
  return new DrError(
    'DeletionGuard',
    `the volume of claim ${claim} has ${now.files} files and ${now.bytes} bytes, its copy ${before.files} and ${before.bytes}: ` +
      `${share} % of the ${lost} would be gone, ${percent} % may (spec.pvcConfig.deletionGuard)`,
  );
}
