import {
  classRanges,
  inverted,
  LAST_CODE_POINT,
  type Node,
  PatternError,
  type Range,
  withBothCases,
} from './syntax.js';

const MAX_PATTERN = 1024;
const MAX_DEPTH = 50;
const MAX_COUNT = 1000;

const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };
const asserts: Readonly<Record<string, Node>> = {
  A: { type: 'assert', what: 'start' },
  z: { type: 'assert', what: 'end' },
  b: { type: 'assert', what: 'boundary' },
  B: { type: 'assert', what: 'inside' },
};

/** Parses RE2 syntax without Unicode classes. Groups are numbered by their opening parenthesis, from 1. */
export class Parser {
  readonly #chars: readonly string[];
  #at = 0;
  #depth = 0;
  #groups = 0;
  #fold = false;

  constructor(pattern: string) {
    if (pattern.length > MAX_PATTERN) throw new PatternError(`longer than ${MAX_PATTERN} characters`);
    this.#chars = Array.from(pattern);
  }

  get groups(): number {
    return this.#groups;
  }

  /** @throws PatternError */
  parse(): Node {
    if (this.#takes('(?i)')) this.#fold = true;
    const node = this.#choice();
    if (this.#at < this.#chars.length) throw this.#error('")" without "("');
    return node;
  }

  #choice(): Node {
    const nodes = [this.#sequence()];
    while (this.#takes('|')) nodes.push(this.#sequence());
    const [only] = nodes;
    return nodes.length === 1 && only !== undefined ? only : { type: 'choice', nodes };
  }

  #sequence(): Node {
    const nodes: Node[] = [];
    while (this.#at < this.#chars.length && !this.#sees('|') && !this.#sees(')'))
      nodes.push(this.#repeated());
    return nodes.length === 0 ? { type: 'empty' } : { type: 'sequence', nodes };
  }

  #repeated(): Node {
    const node = this.#atom();
    const count = this.#count();
    if (count === undefined) return node;
    if (node.type === 'assert') throw this.#error('a repetition of what matches no character');
    const greedy = !this.#takes('?');
    if (this.#sees('*') || this.#sees('+') || this.#count() !== undefined) {
      throw this.#error('a repetition of a repetition');
    }
    return { type: 'repeat', node, ...count, greedy };
  }

  #count(): { min: number; max: number } | undefined {
    if (this.#takes('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#takes('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#takes('?')) return { min: 0, max: 1 };
    const found = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/.exec(
      this.#chars.slice(this.#at, this.#at + 12).join(''),
    );
    if (found === null) return undefined;
    const [text, low = '', comma, high] = found;
    const min = Number(low);
    const max = comma === undefined ? min : high === undefined ? Number.POSITIVE_INFINITY : Number(high);
    if (min > MAX_COUNT || (Number.isFinite(max) && (max > MAX_COUNT || max < min))) {
      throw this.#error(`${text}: counts go from 0 to ${MAX_COUNT}, the lower one first`);
    }
    this.#at += text.length;
    return { min, max };
  }

  #atom(): Node {
    const char = this.#next();
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return this.#set(this.#class());
      case '.':
        return { type: 'set', ranges: inverted([[10, 10]]) };
      case '^':
        return { type: 'assert', what: 'start' };
      case '$':
        return { type: 'assert', what: 'end' };
      case '\\':
        return this.#escaped();
      case '*':
      case '+':
      case '?':
        throw this.#error(`"${char}" without anything to repeat`);
      default:
        return this.#set([only(char)]);
    }
  }

  #group(): Node {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.#error(`more than ${MAX_DEPTH} groups inside of each other`);
    const index = this.#takes('?') ? this.#modifier() : (this.#groups += 1);
    const node = this.#choice();
    if (!this.#takes(')')) throw this.#error('"(" without ")"');
    this.#depth -= 1;
    return index === undefined ? node : { type: 'group', node, index };
  }

  /** What follows `(?`: the number of a named group, undefined for one that is not captured. */
  #modifier(): number | undefined {
    if (this.#takes(':')) return undefined;
    const name = /^P?<([A-Za-z_]\w{0,63})>/.exec(this.#chars.slice(this.#at, this.#at + 70).join(''));
    if (name !== null) {
      this.#at += name[0].length;
      return (this.#groups += 1);
    }
    if (this.#sees('=') || this.#sees('!') || this.#sees('<'))
      throw this.#error('no looking ahead or behind (RE2)');
    throw this.#error('only (?:, (?P<name> and (?i) at the very beginning are known');
  }

  #escaped(): Node {
    const char = this.#next();
    const assertion = Object.hasOwn(asserts, char) ? asserts[char] : undefined;
    if (assertion !== undefined) return assertion;
    if (/[1-9k]/.test(char)) throw this.#error('no references to groups inside of the pattern (RE2)');
    return this.#set(this.#escape(char));
  }

  /** Ranges of an escape that stands for characters; `char` is what follows the backslash. */
  #escape(char: string): readonly Range[] {
    const ranges = classRanges(char);
    if (ranges !== undefined) return ranges;
    const control = Object.hasOwn(controls, char) ? controls[char] : undefined;
    if (control !== undefined) return [[control, control]];
    if (char === 'x') return [this.#hex()];
    if (/[A-Za-z0-9]/.test(char)) throw this.#error(`\\${char} is not known`);
    return [only(char)];
  }

  #hex(): Range {
    const rest = this.#chars.slice(this.#at, this.#at + 10).join('');
    const found = /^(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(rest);
    const code = found === null ? Number.NaN : Number.parseInt(found[1] ?? found[2] ?? '', 16);
    if (found === null || code > LAST_CODE_POINT)
      throw this.#error('\\x needs two digits, or some in braces');
    this.#at += found[0].length;
    return [code, code];
  }

  #class(): readonly Range[] {
    const negated = this.#takes('^');
    const ranges: Range[] = [];
    // A bracket at the beginning stands for itself.
    do ranges.push(...this.#classItem());
    while (!this.#takes(']'));
    const folded = this.#fold ? withBothCases(ranges) : ranges;
    return negated ? inverted(folded) : folded;
  }

  #classItem(): readonly Range[] {
    if (this.#sees('[:')) throw this.#error('[:name:] is not known');
    const first = this.#classCharacter();
    const [low] = first;
    if (
      !this.#sees('-') ||
      this.#sees('-]') ||
      first.length !== 1 ||
      low === undefined ||
      low[0] !== low[1]
    ) {
      return first;
    }
    this.#next();
    const [high, ...more] = this.#classCharacter();
    if (high === undefined || more.length > 0 || high[0] !== high[1] || high[0] < low[0]) {
      throw this.#error('a range in [] goes from a lower to a higher character');
    }
    return [[low[0], high[0]]];
  }

  #classCharacter(): readonly Range[] {
    const char = this.#next();
    return char === '\\' ? this.#escape(this.#next()) : [only(char)];
  }

  #set(ranges: readonly Range[]): Node {
    return { type: 'set', ranges: this.#fold ? withBothCases(ranges) : ranges };
  }

  #sees(text: string): boolean {
    return Array.from(text).every((char, offset) => this.#chars[this.#at + offset] === char);
  }

  #takes(text: string): boolean {
    const seen = this.#sees(text);
    if (seen) this.#at += text.length;
    return seen;
  }

  #next(): string {
    const char = this.#chars[this.#at];
    if (char === undefined) throw this.#error('the pattern ends too early');
    this.#at += 1;
    return char;
  }

  #error(message: string): PatternError {
    return new PatternError(`${message} (at character ${this.#at})`);
  }
}

function only(char: string): Range {
  const code = char.codePointAt(0) ?? 0;
  return [code, code];
}
