/** One line of the result. */
export interface Figure {
  readonly bench: 'volumes';
  readonly name: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly unit: string;
  /** Ours over the peer's: less is better. */
  readonly ratio: number | null;
  /** What `ratio`, or without a peer `ours`, must not exceed. */
  readonly bar: number;
  readonly ok: boolean;
}

export interface Pair {
  readonly ours: number;
  readonly peer: number;
}

const round = (value: number) => Math.round(value * 1000) / 1000;

/** @param share 0.5: the median */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Of pairs that were measured in turns. The ratio is the median of the rounds' ratios. */
export function besidePeer(name: string, unit: string, bar: number, pairs: readonly Pair[]): Figure {
  const ratio = round(
    quantile(
      pairs.map(({ ours, peer }) => ours / peer),
      0.5,
    ),
  );
  const middle = (which: keyof Pair) =>
    round(
      quantile(
        pairs.map((pair) => pair[which]),
        0.5,
      ),
    );
  return {
    ...{ bench: 'volumes', name, unit, ratio, bar },
    ...{ ours: middle('ours'), peer: middle('peer'), ok: ratio <= bar },
  };
}

export function atMost(name: string, unit: string, bar: number, value: number): Figure {
  const ours = round(value);
  return { bench: 'volumes', name, ours, peer: null, unit, ratio: null, bar, ok: ours <= bar };
}
