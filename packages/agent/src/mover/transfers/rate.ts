/** Time constant: what moved ten seconds ago still counts by a seventh. */
const TAU_MS = 5_000;
/** Reports that come closer together are taken as one. */
const MIN_STEP_MS = 200;

/** Exponentially weighted mean of a rate, from totals at moments. Times in milliseconds. */
export class Rate {
  #at: number;
  #total = 0;
  #perMs: number | undefined;

  constructor(now: number) {
    this.#at = now;
  }

  update(total: number, now: number): void {
    const step = now - this.#at;
    if (step < MIN_STEP_MS || total < this.#total) return;
    const latest = (total - this.#total) / step;
    const weight = 1 - Math.exp(-step / TAU_MS);
    // The first step has nothing to be smoothed with.
    this.#perMs = this.#perMs === undefined ? latest : this.#perMs + weight * (latest - this.#perMs);
    this.#at = now;
    this.#total = total;
  }

  /** Decays while nothing is reported. */
  perSecond(now: number): number {
    const silent = Math.max(0, now - this.#at - 1_000);
    return (this.#perMs ?? 0) * 1000 * Math.exp(-silent / TAU_MS);
  }
}
