/** How many may run at a time for each of some keys, and how many do. */
export class Limits {
  readonly #limitOf: (key: string) => number;
  readonly #running = new Map<string, number>();

  /** @param limitOf asked each time, so a limit may change while things run; Infinity: none */
  constructor(limitOf: (key: string) => number) {
    this.#limitOf = limitOf;
  }

  /** There is room for one more under every key. */
  allow(keys: readonly string[]): boolean {
    return keys.every((key) => this.running(key) < this.#limitOf(key));
  }

  running(key: string): number {
    return this.#running.get(key) ?? 0;
  }

  take(keys: readonly string[]): void {
    for (const key of keys) this.#running.set(key, this.running(key) + 1);
  }

  release(keys: readonly string[]): void {
    for (const key of keys) {
      const left = this.running(key) - 1;
      if (left > 0) this.#running.set(key, left);
      else this.#running.delete(key);
    }
  }
}
