/** One line of the result. */
export interface Figure {
  readonly bench: 'resources';
  readonly name: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly unit: string;
  /** Ours over the peer's, where more is better. */
  readonly ratio: number | null;
  /** What `ratio` has to reach; without a peer, what `ours` must not exceed. */
  readonly bar: number;
  readonly ok: boolean;
}

const round = (value: number): number => Math.round(value * 100) / 100;

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** More is better; the ratio is the median of those of the rounds, in each of which both ran after one another. */
export function higherIsBetter(
  name: string,
  unit: string,
  bar: number,
  pairs: readonly { readonly ours: number; readonly peer: number }[],
): Figure {
  const ratio = round(
    percentile(
      pairs.map(({ ours, peer }) => ours / peer),
      0.5,
    ),
  );
  const ours = round(
    percentile(
      pairs.map((pair) => pair.ours),
      0.5,
    ),
  );
  const peer = round(
    percentile(
      pairs.map((pair) => pair.peer),
      0.5,
    ),
  );
  return { bench: 'resources', name, ours, peer, unit, ratio, bar, ok: ratio >= bar };
}

/** No peer: a value that must not exceed the bar. */
export function atMost(name: string, unit: string, bar: number, value: number): Figure {
  const ours = round(value);
  return { bench: 'resources', name, ours, peer: null, unit, ratio: null, bar, ok: ours <= bar };
}
