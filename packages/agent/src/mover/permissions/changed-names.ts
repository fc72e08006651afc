/** What the names of all volumes together may take, in characters. */
const MAX_TOTAL = 64 * 2 ** 20;
const MAX_EACH = 8 * 2 ** 20;
/** A small string costs this much more in memory. */
const OVERHEAD = 64;

/** How much all volumes' names take. */
export class NamesBudget {
  #used = 0;

  take(characters: number): boolean {
    if (this.#used + characters > MAX_TOTAL) return false;
    this.#used += characters;
    return true;
  }

  give(characters: number): void {
    this.#used -= characters;
  }
}

/** Paths in one volume, as Latin-1; or that there were too many of them, which means all. */
export class ChangedNames {
  readonly #budget: NamesBudget;
  #names: Set<string> | 'all' = new Set();
  #size = 0;

  constructor(budget: NamesBudget) {
    this.#budget = budget;
  }

  get value(): ReadonlySet<string> | 'all' {
    return this.#names;
  }

  add(name: string): void {
    if (this.#names === 'all' || this.#names.has(name)) return;
    const cost = name.length + OVERHEAD;
    if (this.#size + cost > MAX_EACH || !this.#budget.take(cost)) {
      this.setAll();
      return;
    }
    this.#size += cost;
    this.#names.add(name);
  }

  setAll(): void {
    this.clear();
    this.#names = 'all';
  }

  clear(): void {
    this.#budget.give(this.#size);
    this.#size = 0;
    this.#names = new Set();
  }
}
