import { Parser } from './parser.js';
import { Compiler, type Step } from './program.js';
import { type Assertion, isWordCharacter } from './syntax.js';

/** What was found: the whole, then each group, undefined where it took no part. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly groups: readonly (string | undefined)[];
}

type Slots = readonly (number | undefined)[];

interface Thread {
  readonly at: number;
  readonly slots: Slots;
}

/**
 * A regular expression whose time is bounded by its size times that of the text, whatever either is: patterns come
 * from tenants, and the ones of JavaScript can take years. Syntax and meaning are those of RE2 (leftmost, first
 * alternative), without Unicode classes; back references and looking around are refused. A simulation of all ways at
 * once, with submatches (R. Cox, "Regular Expression Matching: the Virtual Machine Approach").
 */
export class LinearRegExp {
  readonly groups: number;
  readonly #steps: readonly Step[];
  readonly #start: number;

  /** @throws PatternError */
  constructor(pattern: string) {
    const parser = new Parser(pattern);
    const node = parser.parse();
    this.groups = parser.groups;
    const { steps, start } = new Compiler().compile(node);
    this.#steps = steps;
    this.#start = start;
  }

  /** Steps of the machine; times the length of the text, it bounds the work. */
  get size(): number {
    return this.#steps.length;
  }

  /** Whether there is a match anywhere in the text. */
  test(text: string): boolean {
    return this.exec(text) !== undefined;
  }

  /** The match that begins first. */
  exec(text: string): Match | undefined {
    return this.#run(Array.from(text), false);
  }

  /** The match of the whole text. */
  matchAll(text: string): Match | undefined {
    return this.#run(Array.from(text), true);
  }

  #run(chars: readonly string[], whole: boolean): Match | undefined {
    const codes = chars.map((char) => char.codePointAt(0) ?? 0);
    let threads: Thread[] = [];
    let found: Slots | undefined;
    for (let at = 0; at <= codes.length; at += 1) {
      const seen = new Set<number>();
      const current: Thread[] = [];
      for (const thread of threads) this.#follow(thread.at, thread.slots, at, codes, seen, current);
      const mayBegin = found === undefined && (!whole || at === 0);
      if (mayBegin) this.#follow(this.#start, [], at, codes, seen, current);
      const { next, match } = this.#read(current, codes[at], !whole || at === codes.length);
      found = match ?? found;
      threads = next;
      if (threads.length === 0 && (found !== undefined || whole)) break;
    }
    return found === undefined ? undefined : matchOf(chars, found, this.groups);
  }

  /** Takes one character with all threads. A match ends those after it, which are of lower priority. */
  #read(
    threads: readonly Thread[],
    code: number | undefined,
    mayMatch: boolean,
  ): { next: Thread[]; match: Slots | undefined } {
    const next: Thread[] = [];
    for (const { at, slots } of threads) {
      const step = this.#steps[at];
      if (step?.op === 'match' && mayMatch) return { next, match: slots };
      if (step?.op !== 'set' || code === undefined || !inRanges(step, code)) continue;
      next.push({ at: step.next, slots });
    }
    return { next, match: undefined };
  }

  /** Adds what can be reached from a step without reading a character, in order of priority. */
  #follow(
    from: number,
    slots: Slots,
    position: number,
    codes: readonly number[],
    seen: Set<number>,
    into: Thread[],
  ): void {
    const waiting: Thread[] = [{ at: from, slots }];
    for (let thread = waiting.pop(); thread !== undefined; thread = waiting.pop()) {
      const { at, slots: own } = thread;
      if (seen.has(at)) continue;
      seen.add(at);
      const step = this.#steps[at];
      if (step === undefined) continue;
      if (step.op === 'fork') {
        waiting.push({ at: step.second, slots: own }, { at: step.first, slots: own });
      } else if (step.op === 'save') {
        const saved = [...own];
        saved[step.slot] = position;
        waiting.push({ at: step.next, slots: saved });
      } else if (step.op === 'assert') {
        if (holds(step.what, position, codes)) waiting.push({ at: step.next, slots: own });
      } else {
        into.push(thread);
      }
    }
  }
}

function inRanges(
  { ranges }: { readonly ranges: readonly (readonly [number, number])[] },
  code: number,
): boolean {
  return ranges.some(([from, to]) => code >= from && code <= to);
}

function holds(what: Assertion, at: number, codes: readonly number[]): boolean {
  if (what === 'start') return at === 0;
  if (what === 'end') return at === codes.length;
  const before = codes[at - 1];
  const after = codes[at];
  const isBoundary =
    (before !== undefined && isWordCharacter(before)) !== (after !== undefined && isWordCharacter(after));
  return isBoundary === (what === 'boundary');
}

function matchOf(chars: readonly string[], slots: Slots, groups: number): Match {
  const start = slots[0] ?? 0;
  const end = slots[1] ?? 0;
  const text = Array.from({ length: groups + 1 }, (_none, index) => {
    const from = slots[2 * index];
    const to = slots[2 * index + 1];
    return from === undefined || to === undefined ? undefined : chars.slice(from, to).join('');
  });
  return { start, end, groups: text };
}

/** `$1` to `$9` are groups, `$0` is the whole match, `$$` a dollar sign. */
export function expand(template: string, { groups }: Match): string {
  return template.replace(/\$([$\d])/g, (_all, what: string) =>
    what === '$' ? '$' : (groups[Number(what)] ?? ''),
  );
}
