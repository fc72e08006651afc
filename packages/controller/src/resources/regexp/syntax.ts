/** Code points from `[0]` to `[1]`, both included. */
export type Range = readonly [number, number];

export type Node =
  | { readonly type: 'empty' }
  | { readonly type: 'set'; readonly ranges: readonly Range[] }
  | { readonly type: 'sequence'; readonly nodes: readonly Node[] }
  | { readonly type: 'choice'; readonly nodes: readonly Node[] }
  | {
      readonly type: 'repeat';
      readonly node: Node;
      readonly min: number;
      readonly max: number;
      readonly greedy: boolean;
    }
  | { readonly type: 'group'; readonly node: Node; readonly index: number }
  | { readonly type: 'assert'; readonly what: Assertion };

export type Assertion = 'start' | 'end' | 'boundary' | 'inside';

export const LAST_CODE_POINT = 0x10_ff_ff;

/** A pattern that is not taken; the message says what and where. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

const classes: Readonly<Record<string, readonly Range[]>> = {
  d: [[48, 57]],
  w: [
    [48, 57],
    [65, 90],
    [95, 95],
    [97, 122],
  ],
  s: [
    [9, 10],
    [12, 13],
    [32, 32],
  ],
};

/** `\d`, `\W` and so on; undefined: no class. */
export function classRanges(letter: string): readonly Range[] | undefined {
  const lower = letter.toLowerCase();
  const ranges = Object.hasOwn(classes, lower) ? classes[lower] : undefined;
  if (ranges === undefined) return undefined;
  return lower === letter ? ranges : inverted(ranges);
}

export function isWordCharacter(code: number): boolean {
  return (classes['w'] ?? []).some(([from, to]) => code >= from && code <= to);
}

/** Everything that is in none of the ranges. */
export function inverted(ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  let next = 0;
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (from > next) result.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= LAST_CODE_POINT) result.push([next, LAST_CODE_POINT]);
  return result;
}

/** With the other case of each ASCII letter, which is all that names and hosts have. */
export function withBothCases(ranges: readonly Range[]): Range[] {
  const shifted = (low: number, high: number, by: number) =>
    ranges.flatMap(([from, to]): Range[] => {
      const a = Math.max(from, low);
      const b = Math.min(to, high);
      return a <= b ? [[a + by, b + by]] : [];
    });
  return [...ranges, ...shifted(65, 90, 32), ...shifted(97, 122, -32)];
}
