import { type ASTNode, Environment } from '@marcbachmann/cel-js';

import { LinearRegExp } from '../regexp/linear-regexp.js';
import { PatternError } from '../regexp/syntax.js';
import { fromCel, toCel } from './expression-values.js';
import { type TimeLimit, TimeLimitError } from './time-limit.js';

/** What an expression can see. JSON values. */
export interface ExpressionInput {
  readonly object: unknown;
  /** What is at the path now; null: nothing. */
  readonly value: unknown;
  readonly source: { readonly namespace: string };
  readonly destination: { readonly namespace: string };
}

const MAX_NODES = 500;
/** Node evaluations times size of the input: without loops, an upper bound of what an expression can make of it. */
const MAX_COST = 256 * 1024 * 1024;
/** Of one evaluation that has loops. */
const TIME_LIMIT_MS = 100;
/** An expression that has been ended so often is not tried again: each time costs all others. */
const MAX_TIMEOUTS = 3;
/** Steps of a regular expression times characters of the text. */
const MAX_REGEXP_COST = 50_000_000;

/**
 * An expression of CEL (github.com/google/cel-spec) that makes one value. It can reach nothing but its input, and its
 * cost is bounded: its size, the work of an evaluation, its time where it has loops. `matches` takes RE2 patterns in
 * linear time.
 */
export class Expression {
  readonly #evaluate: (input: Record<string, unknown>) => unknown;
  readonly #nodes: number;
  readonly #loops: boolean;
  readonly #limit: TimeLimit;
  #timeouts = 0;

  /** @throws Error that says what is wrong with the text */
  constructor(text: string, limit: TimeLimit) {
    this.#limit = limit;
    try {
      const parsed = environment().parse(text);
      const { nodes, loops } = prepare(parsed.ast);
      const checked = parsed.check();
      if (!checked.valid) throw checked.error ?? new Error('does not fit its types');
      this.#evaluate = parsed;
      this.#nodes = nodes;
      this.#loops = loops;
    } catch (err) {
      throw new Error(summaryOf(err), { cause: err });
    }
  }

  /**
   * @param bytes about the size of the input as JSON
   * @param secret the input must not show in an error
   * @throws Error that says what went wrong, without values when `secret`
   */
  evaluate(input: ExpressionInput, bytes: number, secret: boolean): unknown {
    if (this.#timeouts >= MAX_TIMEOUTS) {
      throw new Error(`took more than ${TIME_LIMIT_MS} ms ${MAX_TIMEOUTS} times and is not tried again`);
    }
    if (this.#nodes * bytes > MAX_COST) throw new Error(`too costly for an object of ${bytes} bytes`);
    const cel = {
      ...{ object: toCel(input.object), value: toCel(input.value) },
      ...{ source: input.source, destination: input.destination },
    };
    try {
      const work = () => fromCel(this.#evaluate(cel));
      return this.#loops ? this.#limit.run(work, TIME_LIMIT_MS) : work();
    } catch (err) {
      if (err instanceof TimeLimitError) this.#timeouts += 1;
      if (secret && !(err instanceof TimeLimitError))
        throw new Error(withoutValues(err), { cause: undefined });
      throw new Error(summaryOf(err), { cause: err });
    }
  }
}

function environment(): Environment {
  return new Environment({
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
    limits: { maxAstNodes: MAX_NODES, maxDepth: 50, maxListElements: 200, maxMapEntries: 200 },
  })
    .registerVariable('object', 'dyn')
    .registerVariable('value', 'dyn')
    .registerVariable('source', 'map')
    .registerVariable('destination', 'map')
    .registerFunction(`string.${LINEAR_MATCHES}(string): bool`, (text: string, pattern: string) =>
      regexpFor(pattern, text).test(text),
    )
    .registerFunction('string.replace(string, string): string', (text: string, from: string, to: string) =>
      from === '' ? text : text.split(from).join(to),
    );
}

/** What `matches` becomes: the library's own uses the regular expressions of JavaScript. */
const LINEAR_MATCHES = 'linearMatches';

function regexpFor(pattern: string, text: string): LinearRegExp {
  const regexp = new LinearRegExp(pattern);
  if (regexp.size * text.length > MAX_REGEXP_COST)
    throw new PatternError('too large for a text of this size');
  return regexp;
}

const macros = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

/** Counts nodes, finds loops, and puts our `matches` in the place of the library's. */
function prepare(root: ASTNode): { nodes: number; loops: boolean } {
  let nodes = 0;
  let loops = false;
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const one of node) visit(one);
    } else if (isNode(node)) {
      nodes += 1;
      const { op, args } = node;
      if (op === 'rcall' && Array.isArray(args)) {
        if (args[0] === 'matches') args[0] = LINEAR_MATCHES;
        // Nested bindings double a value with each one.
        loops ||= macros.has(String(args[0])) || args[0] === 'bind';
      }
      visit(args);
    }
  };
  visit(root);
  return { nodes, loops };
}

function isNode(value: unknown): value is { op: string; args: unknown } {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}

interface CelError {
  readonly code: string;
  /** The message without the text of the expression around it. */
  readonly summary: string;
}

function isCelError(err: unknown): err is CelError {
  return err instanceof Error && 'summary' in err && 'code' in err && typeof err.summary === 'string';
}

function summaryOf(err: unknown): string {
  if (isCelError(err)) return err.summary;
  return err instanceof Error ? err.message : String(err);
}

/** The library puts values into some of its messages. */
function withoutValues(err: unknown): string {
  return isCelError(err) ? err.code.replaceAll('_', ' ') : 'the result is no JSON value';
}
