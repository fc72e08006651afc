import { DrError, toDrError } from '@dr-syncer/api';
import type { WatchEvent } from './client-types.js';
import { type Indexers, Store } from './store.js';
import { keyOf, type KubeObject } from './types.js';

/** Called in the order of events, synchronously; should only note the key and return. */
export interface ReflectorHandler<T> {
  added?(object: T): void;
  updated?(object: T, old: T): void;
  /** The last known state; the deletion itself may have been seen only by its absence from a list. */
  deleted?(object: T): void;
  /** A complete list has been brought in: what the store lacks now was not there. */
  listed?(): void;
}

/** What a reflector keeps of each object; `undefined` leaves the object out. The argument may be changed. */
export type Transform<T> = (object: KubeObject) => T | undefined;

/** The default transform: managedFields are often half of an object and nothing here reads them. */
export function dropManagedFields(object: KubeObject): KubeObject {
  delete object.metadata.managedFields;
  return object;
}

export interface MirrorOptions<T extends KubeObject> {
  readonly transform: Transform<T>;
  readonly indexers?: Indexers<T> | undefined;
  readonly onError: (err: DrError) => void;
}

/** Brings lists and watch events into a store and tells the handlers what has changed. No I/O. */
export class Mirror<T extends KubeObject> {
  readonly store: Store<T>;
  readonly #options: MirrorOptions<T>;
  readonly #handlers = new Set<ReflectorHandler<T>>();

  constructor(options: MirrorOptions<T>) {
    this.#options = options;
    this.store = new Store(options.indexers);
  }

  /** Objects that are there already are reported as added, before this returns. Returns the way to unsubscribe. */
  subscribe(handler: ReflectorHandler<T>): () => void {
    this.#handlers.add(handler);
    for (const object of this.store.list()) this.#contained(() => handler.added?.(object));
    return () => this.#handlers.delete(handler);
  }

  /** One event of a watch other than a bookmark. */
  apply(event: WatchEvent<KubeObject>): void {
    if (event.type === 'DELETED') this.#remove(keyOf(event.object), this.#transformed(event.object));
    else if (event.type !== 'BOOKMARK') this.upsert(event.object);
  }

  /** An object as a list or an event shows it; one with a resourceVersion that is known already changes nothing. */
  upsert(object: KubeObject): void {
    const key = keyOf(object);
    const old = this.store.get(key);
    const { resourceVersion, uid } = object.metadata;
    if (
      old !== undefined &&
      resourceVersion !== undefined &&
      old.metadata.resourceVersion === resourceVersion
    )
      return;
    const next = this.#transformed(object);
    if (next === undefined) {
      this.#remove(key, undefined);
      return;
    }
    if (old !== undefined && old.metadata.uid !== uid) this.#remove(key, undefined);
    const before = this.#stored(next);
    if (before === false) return;
    this.#notify((handler) =>
      before === undefined ? handler.added?.(next) : handler.updated?.(next, before),
    );
  }

  /** Drops what the complete list `keys` does not have. Returns how many objects that were. */
  retain(keys: ReadonlySet<string>): number {
    const gone = [...this.store.keys()].filter((key) => !keys.has(key));
    for (const key of gone) this.#remove(key, undefined);
    return gone.length;
  }

  /** The handlers are told that the store is complete. */
  listed(): void {
    this.#notify((handler) => handler.listed?.());
  }

  #remove(key: string, last: T | undefined): void {
    const old = this.store.delete(key);
    if (old !== undefined) this.#notify((handler) => handler.deleted?.(last ?? old));
  }

  #transformed(object: KubeObject): T | undefined {
    return this.#contained(() => this.#options.transform(object));
  }

  /** `false`: an indexer failed and the object is not in the store. */
  #stored(object: T): T | undefined | false {
    let old: T | undefined | false = false;
    this.#contained(() => {
      old = this.store.set(object);
    });
    return old;
  }

  #notify(call: (handler: ReflectorHandler<T>) => unknown): void {
    for (const handler of this.#handlers) this.#contained(() => call(handler));
  }

  /** A handler that fails, at once or later, is reported and harms neither the others nor the reflector. */
  #contained<R>(work: () => R): R | undefined {
    try {
      const result = work();
      if (result instanceof Promise) result.catch((err: unknown) => this.#options.onError(toDrError(err)));
      return result;
    } catch (err) {
      this.#options.onError(toDrError(err));
      return undefined;
    }
  }
}
