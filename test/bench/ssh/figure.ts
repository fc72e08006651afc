/** One line of the result. `ratio` is ours over the peer's (or the bar's) in the sense that more is better. */
export interface Figure {
  readonly bench: 'ssh';
  readonly name: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly unit: string;
  readonly ratio: number | null;
  /** What `ratio` has to reach; without a peer, what `ours` must not exceed. */
  readonly bar: number;
  readonly ok: boolean;
}

export interface Pair {
  readonly ours: number;
  readonly peer: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? NaN)) / 2;
}

const round = (value: number) => Math.round(value * 100) / 100;

/** More is better. The ratio is the median of the rounds' ratios: both ran right after each other in each. */
export function higherIsBetter(name: string, unit: string, bar: number, pairs: readonly Pair[]): Figure {
  const ratio = round(median(pairs.map(({ ours, peer }) => ours / peer)));
  return { ...medians(name, unit, pairs), ratio, bar, ok: ratio >= bar };
}

/** Less is better: the ratio is the peer's over ours. */
export function lowerIsBetter(name: string, unit: string, bar: number, pairs: readonly Pair[]): Figure {
  const ratio = round(median(pairs.map(({ ours, peer }) => peer / ours)));
  return { ...medians(name, unit, pairs), ratio, bar, ok: ratio >= bar };
}

/** No peer: a value that must not exceed the bar. */
export function atMost(name: string, unit: string, bar: number, ours: number): Figure {
  return { bench: 'ssh', name, ours: round(ours), peer: null, unit, ratio: null, bar, ok: ours <= bar };
}

function medians(name: string, unit: string, pairs: readonly Pair[]) {
  return {
    bench: 'ssh' as const,
    name,
    ours: round(median(pairs.map((p) => p.ours))),
    peer: round(median(pairs.map((p) => p.peer))),
    unit,
  };
}
