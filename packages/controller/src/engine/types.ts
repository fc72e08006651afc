import type { DrError } from '@dr-syncer/api';
import { isAborted, type KubeObject, kubeToDrError, resourceName } from '@dr-syncer/kube';

import type { TypeState } from './ledger.js';
import { rankOf } from './order.js';
import type { SourceEntry, StandbyEntry } from './snapshots.js';
import type { Counted, Tally } from './tally.js';
import { pairKey, type TypePair } from './type-pairs.js';
import type { Views } from './views.js';

export interface TypesOptions {
  readonly sourceViews: Views<SourceEntry>;
  readonly standbyViews: Views<StandbyEntry>;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
  /** Follow the types; else look once. */
  readonly watch: boolean;
  /** The destination is looked at even where the source has no object of a type. */
  readonly always: boolean;
  /** A type that can't be listed is a failure in it. */
  readonly tally: Tally;
  /** Ends all views. */
  readonly signal: AbortSignal;
  /** An object at one of the ends has changed, or is gone at the destination (`isDeletion`). */
  readonly onEvent: (type: TypeState, name: string, isDeletion: boolean) => void;
  /** The destination has been listed anew: what the view lacks was not there. */
  readonly onListed: (type: TypeState) => void;
  readonly onReady: (type: TypeState) => void;
  readonly onClosed: (type: TypeState) => void;
  readonly onChange: () => void;
}

/** The types of one Replication, each with its view of the source and, once that shows an object, of the destination. */
export class Types {
  readonly #options: TypesOptions;
  readonly #types = new Map<string, TypeState>();
  readonly #troubles = new Map<string, Counted>();
  readonly #opening = new Set<Promise<void>>();

  constructor(options: TypesOptions) {
    this.#options = options;
  }

  /** These types and no others. */
  set(list: readonly TypePair[]): void {
    const pairs = new Map(list.map((pair) => [pairKey(pair), pair]));
    for (const [key, type] of this.#types) {
      const pair = pairs.get(key);
      if (pair !== undefined && isSame(pair, type.pair)) pairs.delete(key);
      else this.#close(type);
    }
    for (const [key, pair] of pairs) this.#open(key, pair);
  }

  values(): IterableIterator<TypeState> {
    return this.#types.values();
  }

  /** Resolves when each type is ready or known not to be. */
  async opened(): Promise<void> {
    await Promise.all(this.#opening);
  }

  close(): void {
    for (const type of [...this.#types.values()]) this.#close(type);
  }

  #open(key: string, pair: TypePair): void {
    const { sourceViews, sourceNamespace, watch, signal } = this.#options;
    // A shared view tells of what it has at once; all that is looked at anyway when the type is ready.
    const changed = ({ metadata }: KubeObject): void => {
      const type = this.#types.get(key);
      if (type?.pair === pair) this.#sourceEvent(type, metadata.name);
    };
    const source = watch
      ? sourceViews.watched(pair.source, sourceNamespace, {
          added: changed,
          updated: changed,
          deleted: changed,
        })
      : sourceViews.listed(pair.source, sourceNamespace, signal);
    const rank = rankOf(pair.source.kind);
    const type: TypeState = { key, pair, rank, source, standby: undefined, ready: false };
    this.#types.set(key, type);
    this.#prepare(type);
  }

  #sourceEvent(type: TypeState, name: string): void {
    // The first object of this type: what the destination has of it must be known before anything is decided.
    if (type.ready && type.standby === undefined && type.pair.standby !== undefined) {
      type.ready = false;
      this.#prepare(type);
    }
    this.#options.onEvent(type, name, false);
  }

  #prepare(type: TypeState): void {
    const opening = this.#makeReady(type).finally(() => this.#opening.delete(opening));
    this.#opening.add(opening);
  }

  async #makeReady(type: TypeState): Promise<void> {
    const { signal, watch, always, onReady } = this.#options;
    let view: { synced: Promise<void> } = type.source;
    try {
      await type.source.ready(signal);
      if (this.#types.get(type.key) !== type) return;
      if (type.source.store.size > 0 || always) {
        type.standby ??= this.#openStandby(type);
        view = type.standby ?? view;
        await type.standby?.ready(signal);
      }
    } catch (err) {
      if (isAborted(signal) || this.#types.get(type.key) !== type) return;
      this.#troubled(type, kubeToDrError(err));
      // The view goes on trying; when it succeeds, so do we.
      if (watch) view.synced.then(() => this.#prepare(type)).catch(() => undefined);
      return;
    }
    if (this.#types.get(type.key) !== type) return;
    this.#untroubled(type);
    type.ready = true;
    onReady(type);
  }

  #openStandby(type: TypeState): TypeState['standby'] {
    const { standby } = type.pair;
    if (standby === undefined) return undefined;
    const { standbyViews, destinationNamespace, watch, signal, onEvent, onListed } = this.#options;
    if (!watch) return standbyViews.listed(standby, destinationNamespace, signal);
    const tell =
      (isDeletion: boolean) =>
      ({ metadata }: KubeObject): void =>
        onEvent(type, metadata.name, isDeletion);
    const listed = (): void => onListed(type);
    const handler = { added: tell(false), updated: tell(false), deleted: tell(true), listed };
    return standbyViews.watched(standby, destinationNamespace, handler);
  }

  #close(type: TypeState): void {
    type.ready = false;
    this.#types.delete(type.key);
    type.source.close();
    type.standby?.close();
    this.#untroubled(type);
    this.#options.onClosed(type);
  }

  #troubled(type: TypeState, { code, message }: DrError): void {
    this.#untroubled(type);
    const { kind } = type.pair.source;
    const failure = { code, message: `${resourceName(type.pair.source)}: ${message}` };
    const trouble: Counted = { kind, name: '*', standing: 'failed', failure };
    this.#troubles.set(type.key, trouble);
    this.#options.tally.add(trouble);
    this.#options.onChange();
  }

  #untroubled({ key }: TypeState): void {
    const trouble = this.#troubles.get(key);
    if (trouble === undefined) return;
    this.#troubles.delete(key);
    this.#options.tally.remove(trouble);
  }
}

/** With the same subresources too: a type that can be scaled from now on is made a standby in another way. */
function isSame(a: TypePair, b: TypePair): boolean {
  return textOf(a) === textOf(b);
}

function textOf({ source, standby }: TypePair): string {
  return [source.version, standby?.version, ...[...source.subresources].sort()].join(' ');
}
