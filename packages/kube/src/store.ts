import { keyOf, type KubeObject } from './types.js';

export type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

/** Read side of a mirror of one resource type. Objects are shared: whoever changes one has to copy it first. */
export interface ReadStore<T extends KubeObject> {
  /** By `keyOf`: `namespace/name` or `name`. */
  get(key: string): T | undefined;
  has(key: string): boolean;
  list(): T[];
  keys(): IterableIterator<string>;
  /** Objects for which the indexer gave `value`. @throws TypeError for an index that was not declared */
  byIndex(index: string, value: string): T[];
  readonly size: number;
}

/** Objects by key, with the declared indexes kept in step. */
export class Store<T extends KubeObject> implements ReadStore<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexers: Indexers<T>;
  readonly #indexes = new Map<string, Map<string, Set<string>>>();

  constructor(indexers: Indexers<T> = {}) {
    this.#indexers = indexers;
    for (const name of Object.keys(indexers)) this.#indexes.set(name, new Map());
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  byIndex(index: string, value: string): T[] {
    const entries = this.#indexes.get(index);
    if (entries === undefined) throw new TypeError(`the store has no index "${index}"`);
    const keys = entries.get(value) ?? [];
    return [...keys].flatMap((key) => this.#objects.get(key) ?? []);
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Returns the object that was there before. */
  set(object: T): T | undefined {
    const key = keyOf(object);
    // Before anything changes: an indexer that throws leaves the store as it was.
    const entries = this.#valuesOf(object);
    const old = this.#objects.get(key);
    if (old !== undefined) this.#unindex(key, old);
    this.#objects.set(key, object);
    for (const [name, values] of entries) {
      const index = this.#indexes.get(name);
      for (const value of values) {
        const keys = index?.get(value);
        if (keys === undefined) index?.set(value, new Set([key]));
        else keys.add(key);
      }
    }
    return old;
  }

  delete(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#unindex(key, old);
    this.#objects.delete(key);
    return old;
  }

  #unindex(key: string, object: T): void {
    for (const [name, values] of this.#valuesOf(object)) {
      const index = this.#indexes.get(name);
      for (const value of values) {
        const keys = index?.get(value);
        keys?.delete(key);
        if (keys?.size === 0) index?.delete(value);
      }
    }
  }

  #valuesOf(object: T): [string, readonly string[]][] {
    return Object.entries(this.#indexers).map(([name, indexer]) => [name, indexer(object)]);
  }
}
