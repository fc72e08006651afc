/** One line of a bench's result. */
export interface Figure {
  readonly name: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly unit: string;
  /** Ours over the peer's. */
  readonly ratio: number | null;
  /** What `ratio` is held against; without a ratio, what `ours` must not exceed. */
  readonly bar: number;
  readonly ok: boolean;
}

/** Measured right after one another. */
export interface Pair {
  readonly ours: number;
  readonly peer: number;
}

/** @param share between 0 and 1, of the values that are smaller */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** More is better: the median of the rounds' ratios has to reach the bar. */
export function atLeastPeer(name: string, unit: string, bar: number, pairs: readonly Pair[]): Figure {
  const line = besidePeer(name, unit, bar, pairs);
  return { ...line, ok: line.ratio >= bar };
}

/** Less is better: the median of the rounds' ratios must not exceed the bar. */
export function atMostPeer(name: string, unit: string, bar: number, pairs: readonly Pair[]): Figure {
  const line = besidePeer(name, unit, bar, pairs);
  return { ...line, ok: line.ratio <= bar };
}

/** A value that must not exceed the bar. */
export function atMost(name: string, unit: string, bar: number, value: number): Figure {
  const ours = round(value);
  return { name, ours, peer: null, unit, ratio: null, bar, ok: ours <= bar };
}

/** Prints the figures of a bench, a JSON object a line. One that misses its bar makes the exit code 1. */
export function print(bench: string, figures: readonly Figure[]): void {
  for (const figure of figures) {
    process.stdout.write(`${JSON.stringify({ bench, ...figure })}\n`);
    if (!figure.ok) process.exitCode = 1;
  }
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

function besidePeer(name: string, unit: string, bar: number, pairs: readonly Pair[]) {
  return {
    name,
    ours: round(median(pairs.map(({ ours }) => ours))),
    peer: round(median(pairs.map(({ peer }) => peer))),
    unit,
    ratio: round(median(pairs.map(({ ours, peer }) => ours / peer))),
    bar,
  };
}
