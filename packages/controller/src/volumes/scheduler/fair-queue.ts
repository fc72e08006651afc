import type { Queue, QueueAddOptions } from 'p-queue';

import type { Limits } from './limits.js';

type Run = () => Promise<unknown>;

export interface FairOptions extends QueueAddOptions {
  /** Whose turn it is goes round among these. */
  readonly tenant: string;
  /** Each has a limit of its own; all must have room. */
  readonly keys: readonly string[];
}

interface Waiting {
  readonly id: string;
  readonly run: Run;
  readonly tenant: string;
  readonly keys: readonly string[];
  priority: number;
}

/**
 * The order in which what waits begins. First what has the highest priority; of that, what belongs to the tenant with
 * the fewest running, then to the one that has not had a turn for the longest time; of one tenant's, what came first.
 * What has no room under one of its limits is passed over, and holds nobody up.
 *
 * `size` is what may begin now and not what waits: p-queue takes one whenever it is not zero.
 */
export class FairQueue implements Queue<Run, FairOptions> {
  readonly #limits: Limits;
  #waiting: Waiting[] = [];
  /** When each tenant had its last turn, counted in turns; those with nothing waiting are dropped. */
  readonly #turns = new Map<string, number>();
  #turn = 0;

  /** @param limits counts tenants as well, under `tenantKey` */
  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting.filter(({ keys }) => this.#limits.allow(keys)).length;
  }

  /** All that waits, whether it may begin or not. */
  get backlog(): number {
    return this.#waiting.length;
  }

  enqueue(run: Run, { id = '', tenant = '', keys = [], priority = 0 }: Partial<FairOptions> = {}): void {
    this.#waiting.push({ id, run, tenant, keys, priority });
  }

  dequeue(): Run | undefined {
    let best: Waiting | undefined;
    for (const one of this.#waiting) {
      if (!this.#limits.allow(one.keys)) continue;
      if (best === undefined || this.#compare(one, best) < 0) best = one;
    }
    if (best === undefined) return undefined;
    this.#waiting.splice(this.#waiting.indexOf(best), 1);
    this.#took(best.tenant);
    return best.run;
  }

  filter({ priority }: Readonly<Partial<FairOptions>>): Run[] {
    return this.#waiting.filter((one) => one.priority === priority).map(({ run }) => run);
  }

  setPriority(id: string, priority: number): void {
    for (const one of this.#waiting) if (one.id === id) one.priority = priority;
  }

  remove(id: string): void {
    this.#waiting = this.#waiting.filter((one) => one.id !== id);
  }

  /** Negative: a begins before b. Equal ones begin in the order in which they came. */
  #compare(a: Waiting, b: Waiting): number {
    const running = (one: Waiting) => this.#limits.running(tenantKey(one.tenant));
    const turn = (one: Waiting) => this.#turns.get(one.tenant) ?? -1;
    return b.priority - a.priority || running(a) - running(b) || turn(a) - turn(b);
  }

  #took(tenant: string): void {
    this.#turn += 1;
    if (this.#waiting.some((one) => one.tenant === tenant)) this.#turns.set(tenant, this.#turn);
    else this.#turns.delete(tenant);
  }
}

/** Under this `Limits` counts what of a tenant runs. */
export function tenantKey(tenant: string): string {
  return `tenant:${tenant}`;
}
