import { DrError, type ErrorCode } from '@dr-syncer/api';

import type { ControlRoute, DataRoute, Reach, ReachReport } from './reach.js';

interface Failure {
  readonly why: string;
  /** Milliseconds: until then the node is not tried directly. */
  readonly until: number;
  readonly waitMs: number;
}

/** No connection. Anything else, a wrong host key above all, is an answer and not a reason to look for another way. */
const noConnection: readonly ErrorCode[] = ['AgentUnreachable', 'Timeout'];
const FIRST_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 30 * 60_000;
const MAX_WHY = 200;

/** Directly where that works, node by node, else by port-forward; what failed is tried again now and then. */
export class AutoReach implements Reach {
  readonly #direct: Reach;
  readonly #forward: Reach;
  readonly #now: () => number;
  /** Of the control channel. */
  readonly #failures = new Map<string, Failure>();
  /** Of transfers: the sender stands elsewhere, and firewalls tell the two apart. */
  readonly #dataFailures = new Map<string, Failure>();
  readonly #seen = new Set<string>();

  constructor(direct: Reach, forward: Reach, now: () => number = () => performance.now()) {
    this.#direct = direct;
    this.#forward = forward;
    this.#now = now;
  }

  async control<T>(
    node: string,
    attempt: (route: ControlRoute) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    this.#seen.add(node);
    if (this.#isFailing(this.#failures, node)) return this.#forward.control(node, attempt, signal);
    try {
      const result = await this.#direct.control(node, attempt, signal);
      this.#failures.delete(node);
      return result;
    } catch (err) {
      if (signal.aborted || !(err instanceof DrError) || !noConnection.includes(err.code)) throw err;
      return await this.#instead(node, err, attempt, signal);
    }
  }

  async data(node: string, from: readonly string[], signal: AbortSignal): Promise<DataRoute> {
    if (this.#failures.has(node) || this.#isFailing(this.#dataFailures, node)) {
      return this.#forward.data(node, from, signal);
    }
    const route = await this.#direct.data(node, from, signal);
    return {
      ...route,
      failed: (why) => {
        this.#remember(this.#dataFailures, node, why);
        return true;
      },
    };
  }

  retain(nodes: readonly string[]): void {
    const keep = new Set(nodes);
    for (const known of [this.#failures, this.#dataFailures, this.#seen]) {
      for (const node of [...known.keys()]) if (!keep.has(node)) known.delete(node);
    }
  }

  report(): ReachReport {
    const failed = new Map([...this.#dataFailures, ...this.#failures]);
    const [first] = failed;
    if (first === undefined) return this.#direct.report();
    const [node, { why }] = first;
    return {
      mode: this.#failures.size === this.#seen.size ? 'PortForward' : 'Mixed',
      message:
        `${failed.size} of ${this.#seen.size} nodes are reached through the API server, ` +
        `since they do not answer directly; first ${node}: ${why}`,
    };
  }

  async #instead<T>(
    node: string,
    direct: DrError,
    attempt: (route: ControlRoute) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    try {
      const result = await this.#forward.control(node, attempt, signal);
      this.#remember(this.#failures, node, direct.message);
      return result;
    } catch (err) {
      if (!(err instanceof DrError) || !noConnection.includes(err.code)) throw err;
      throw new DrError('AgentUnreachable', `directly: ${direct.message}; by port-forward: ${err.message}`, {
        cause: err,
      });
    }
  }

  #isFailing(failures: ReadonlyMap<string, Failure>, node: string): boolean {
    return this.#now() < (failures.get(node)?.until ?? Number.NEGATIVE_INFINITY);
  }

  #remember(failures: Map<string, Failure>, node: string, why: string): void {
    const before = failures.get(node)?.waitMs;
    const waitMs = Math.min(LONGEST_WAIT_MS, before === undefined ? FIRST_WAIT_MS : before * 2);
    failures.set(node, { why: why.slice(0, MAX_WHY), waitMs, until: this.#now() + waitMs });
  }
}
