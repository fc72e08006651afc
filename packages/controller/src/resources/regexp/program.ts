import { type Assertion, type Node, PatternError, type Range } from './syntax.js';

/** One step of the machine; `next` and the others are indices of steps. */
export type Step =
  | { readonly op: 'set'; readonly ranges: readonly Range[]; next: number }
  /** `first` is tried before `second`. */
  | { readonly op: 'fork'; first: number; second: number }
  | { readonly op: 'save'; readonly slot: number; next: number }
  | { readonly op: 'assert'; readonly what: Assertion; next: number }
  | { readonly op: 'match' };

/** Bounds the work: one match takes at most so many steps for each character. */
const MAX_STEPS = 2000;

/** Thompson's construction, backwards: each node is told what comes after it. Slots 0 and 1 are the whole match. */
export class Compiler {
  readonly #steps: Step[] = [];

  /** @returns the steps and the index of the first one. @throws PatternError when there are too many */
  compile(node: Node): { steps: readonly Step[]; start: number } {
    const match = this.#add({ op: 'match' });
    const end = this.#add({ op: 'save', slot: 1, next: match });
    const start = this.#add({ op: 'save', slot: 0, next: this.#node(node, end) });
    return { steps: this.#steps, start };
  }

  #node(node: Node, next: number): number {
    switch (node.type) {
      case 'empty':
        return next;
      case 'set':
        return this.#add({ op: 'set', ranges: node.ranges, next });
      case 'assert':
        return this.#add({ op: 'assert', what: node.what, next });
      case 'sequence':
        return node.nodes.reduceRight((after, one) => this.#node(one, after), next);
      case 'choice':
        return this.#choice(node.nodes, next);
      case 'group': {
        const end = this.#add({ op: 'save', slot: 2 * node.index + 1, next });
        return this.#add({ op: 'save', slot: 2 * node.index, next: this.#node(node.node, end) });
      }
      case 'repeat':
        return this.#repeat(node, next);
    }
  }

  #choice(nodes: readonly Node[], next: number): number {
    const starts = nodes.map((one) => this.#node(one, next));
    return starts.reduceRight((second, first) => this.#add({ op: 'fork', first, second }));
  }

  #repeat(node: Extract<Node, { type: 'repeat' }>, next: number): number {
    const { min, max, greedy } = node;
    let at = next;
    if (max === Number.POSITIVE_INFINITY) {
      const fork = this.#fork(greedy, next);
      this.#enter(fork, greedy, this.#node(node.node, fork));
      at = fork;
    } else {
      for (let optional = min; optional < max; optional += 1) {
        const fork = this.#fork(greedy, next);
        this.#enter(fork, greedy, this.#node(node.node, at));
        at = fork;
      }
    }
    for (let required = 0; required < min; required += 1) at = this.#node(node.node, at);
    return at;
  }

  /** A fork that so far goes nowhere but on. */
  #fork(_greedy: boolean, next: number): number {
    return this.#add({ op: 'fork', first: next, second: next });
  }

  #enter(fork: number, greedy: boolean, inside: number): void {
    const step = this.#steps[fork];
    if (step?.op !== 'fork') return;
    if (greedy) step.first = inside;
    else step.second = inside;
  }

  #add(step: Step): number {
    if (this.#steps.length >= MAX_STEPS)
      throw new PatternError('too large, with its repetitions written out');
    this.#steps.push(step);
    return this.#steps.length - 1;
  }
}
