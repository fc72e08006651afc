/** How fast a transfer was with so many streams. */
export interface Measured {
  readonly streams: number;
  /** Any unit, the same for all. */
  readonly perSecond: number;
}

export interface StreamChoice {
  readonly streams: number;
  /** There is nothing more to try. */
  readonly settled: boolean;
}

/**
 * What more streams have to bring at least, of what they would bring if each was as fast as those before: less is paid for
 * with processors of both nodes, which others need too.
 */
const WORTH = 0.3;

/**
 * As few streams as are about as fast as any: begins with one and doubles while that pays. Nothing else tells whether it
 * will: lines that give each connection its share gain, processors that are busy already do not.
 *
 * @param measured in the order in which it was
 */
export function chooseStreams(measured: readonly Measured[], most: number): StreamChoice {
  const last = measured.at(-1);
  if (last === undefined) return { streams: 1, settled: most <= 1 };
  const before = measured.at(-2);
  if (before !== undefined) {
    const worthwhile = 1 + WORTH * (last.streams / before.streams - 1);
    if (last.perSecond < before.perSecond * worthwhile) return { streams: before.streams, settled: true };
  }
  if (last.streams >= most) return { streams: last.streams, settled: true };
  return { streams: Math.min(most, last.streams * 2), settled: false };
}
