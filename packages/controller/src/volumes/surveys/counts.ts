import type { Survey } from '@dr-syncer/ssh';

type Counts = Pick<Survey, 'files' | 'directories' | 'links' | 'bytes'>;

/** What happened to the source since it was counted; all zero: nothing. */
export interface Churn {
  readonly changed: number;
  readonly removed: number;
}

/**
 * How a copy differs from its source by numbers. Fifos, sockets and devices are left out: whether they are copied depends
 * on the identity. A source that was written to meanwhile has a copy that is off by no more than that.
 *
 * @returns for people; empty: the numbers agree
 */
export function countDifferences(source: Counts, copy: Counts, { changed, removed }: Churn): string[] {
  const moved = changed + removed;
  const kinds = (['files', 'directories', 'links'] as const)
    .filter((kind) => Math.abs(source[kind] - copy[kind]) > moved)
    .map((kind) => `${copy[kind]} ${kind} of ${source[kind]}`);
  return moved === 0 && source.bytes !== copy.bytes
    ? [...kinds, `${copy.bytes} bytes of ${source.bytes}`]
    : kinds;
}
