/**
 * Refusals that are ours alone: OpenShift's parser takes these texts and makes nonsense of them. Each has a row in
 * docs/reference/scc-stricter.md.
 */
export const stricterRules = [
  'EmptyBlock',
  'WrappedBlock',
  'InvertedBlock',
  'TrailingText',
  'OddBlank',
  'SeveralBlocks',
  'IdTooLarge',
] as const;
export type StricterRule = (typeof stricterRules)[number];

export interface Failure {
  readonly ok: false;
  readonly error: string;
  /** `Syntax`: the text of an annotation that OpenShift refuses too (in Go's own words, which are not repeated). */
  readonly rule?: StricterRule | 'Syntax';
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | Failure;

export function success<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

export function failure(error: string, rule?: Failure['rule']): Failure {
  return rule === undefined ? { ok: false, error } : { ok: false, error, rule };
}

/** The same failure with the words of a caller before it. */
export function within(context: string, inner: Failure): Failure {
  return { ...inner, error: `${context}: ${inner.error}` };
}
