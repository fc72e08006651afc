import type { Manifest } from './manifest.js';

/** A field that is not the same on both sides; undefined: not there. */
export interface FieldDifference {
  readonly field: string;
  readonly left: string | undefined;
  readonly right: string | undefined;
}

/** One entry that is not the same on both sides. */
export type Difference =
  | { readonly kind: 'missing'; readonly path: string }
  | { readonly kind: 'extra'; readonly path: string }
  | { readonly kind: 'changed'; readonly path: string; readonly fields: readonly FieldDifference[] };

export interface Comparison {
  /** Paths of both sides together. */
  readonly compared: number;
  readonly equal: number;
  /** In the order of the left manifest, then what only the right one has. */
  readonly differences: readonly Difference[];
}

type Fields = ReadonlyMap<string, string>;

/** Compares two trees, entry by entry; "missing" is missing on the right. */
export function compareManifests(left: Manifest, right: Manifest): Comparison {
  const differences: Difference[] = [];
  for (const [path, fields] of left.entries) {
    const other = right.entries.get(path);
    if (other === undefined) {
      differences.push({ kind: 'missing', path });
      continue;
    }
    const changed = compareFields(fields, other);
    if (changed.length > 0) differences.push({ kind: 'changed', path, fields: changed });
  }
  let extra = 0;
  for (const path of right.entries.keys()) {
    if (left.entries.has(path)) continue;
    differences.push({ kind: 'extra', path });
    extra += 1;
  }
  const compared = left.entries.size + extra;
  return { compared, equal: compared - differences.length, differences };
}

function compareFields(left: Fields, right: Fields): FieldDifference[] {
  const names = new Set([...left.keys(), ...right.keys()]);
  return [...names]
    .map((field) => ({ field, left: left.get(field), right: right.get(field) }))
    .filter((each) => each.left !== each.right);
}

/** The first `limit` differences for people, one a line, and how many more there are. */
export function describeDifferences(differences: readonly Difference[], limit = 20): string[] {
  const lines = differences.slice(0, limit).map(describeDifference);
  const more = differences.length - lines.length;
  return more > 0 ? [...lines, `... and ${more} more`] : lines;
}

function describeDifference(difference: Difference): string {
  switch (difference.kind) {
    case 'missing':
      return `missing  ${difference.path}`;
    case 'extra':
      return `extra    ${difference.path}`;
    case 'changed':
      return `changed  ${difference.path}: ${difference.fields.map(describeField).join(', ')}`;
  }
}

function describeField({ field, left, right }: FieldDifference): string {
  return `${field} ${left ?? '(none)'} -> ${right ?? '(none)'}`;
}
