import { isDeepStrictEqual } from 'node:util';

import type { Answer } from './answer.js';
import type { Vector } from './vector.js';

export type Verdict =
  | { readonly result: 'passed' }
  /** OpenShift accepts it, we refuse, and the refusal has a row in docs/reference/scc-stricter.md. */
  | { readonly result: 'stricter'; readonly rule: string; readonly detail: string }
  | { readonly result: 'failed'; readonly detail: string };

/**
 * Compares our answer with OpenShift's. Refusals have to be the same refusal, to the word, but for annotations that
 * do not parse: OpenShift passes on what Go's `Sscanf` says there.
 */
export function judge({ expected }: Vector, answer: Answer): Verdict {
  const refused = typeof expected['error'] === 'string' ? expected['error'] : null;
  if (answer.ok) {
    return same(expected, answer.value) ? { result: 'passed' } : differs(expected, answer.value);
  }
  if (refused === null) {
    if (answer.rule === undefined || answer.rule === 'Syntax') return differs(expected, answer.error);
    return { result: 'stricter', rule: answer.rule, detail: answer.error };
  }
  const equal =
    answer.rule === undefined ? answer.error === refused : context(answer.error) === context(refused);
  return equal ? { result: 'passed' } : differs(refused, answer.error);
}

/** What comes before the words of the parser; nothing when there is no context. */
function context(error: string): string {
  return /^(unable to find pre-allocated .* configure SCC .*?): /.exec(error)?.[1] ?? '';
}

/** Field by field as JSON, where null and absent are the same; ranges may be named in either of two ways. */
function same(expected: unknown, actual: unknown): boolean {
  return isDeepStrictEqual(normal(expected), normal(actual));
}

const otherNames: Readonly<Record<string, string>> = {
  start: 'min',
  end: 'max',
  uidRangeMin: 'min',
  uidRangeMax: 'max',
};

function normal(value: unknown): unknown {
  if (typeof value === 'string') return loose(value);
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([, item]) => item !== null && item !== undefined)
    .map(([key, item]): [string, unknown] => [otherNames[key] ?? key, normal(item)]);
  return Object.fromEntries(entries);
}

/** apimachinery 0.34 and later write lists in messages as JSON. */
function loose(text: string): string {
  return text
    .replace(/\[\]int64\(nil\)|(?<=Invalid value: )null/g, '[]')
    .replace(/\[\]int64\{([^}]*)\}/g, '[$1]');
}

function differs(expected: unknown, actual: unknown): Verdict {
  return { result: 'failed', detail: `expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}` };
}
