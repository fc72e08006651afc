import { DrError, type ErrorCode } from '@dr-syncer/api';
import { type KubeObject, resourceName } from '@dr-syncer/kube';

import { decide, type Decision, type Holder, type Rules, type Want } from './decide.js';
import { ownsAll } from './owned-fields.js';
import type { DesiredOf } from '../resources/desired.js';
import { hasReached, isOlder } from './resource-version.js';
import { parseSource, type SourceEntry, type StandbyEntry } from './snapshots.js';
import type { Counted, Failure, Standing } from './tally.js';
import type { TypePair } from './type-pairs.js';
import type { View } from './views.js';

/** One type of one Replication with its two views. */
export interface TypeState {
  readonly key: string;
  readonly pair: TypePair;
  readonly rank: number;
  readonly source: View<SourceEntry>;
  /** Opened when the source has an object of the type. */
  standby: View<StandbyEntry> | undefined;
  /** Both views, as far as they are needed, have had a complete list: what they lack is not there. */
  ready: boolean;
}

/** What is remembered of one object: a few words, none of its content. */
export interface Item extends Counted {
  /** `plural.group/name`. */
  readonly key: string;
  readonly kind: string;
  readonly name: string;
  readonly type: TypeState;
  standing: Standing;
  failure: Failure | undefined;
  /** resourceVersion of the source object that `want` was computed from. */
  seen: string | undefined;
  want: Want;
  /** The object as our last write left it, until the view has caught up with that. */
  written: StandbyEntry | undefined;
  writtenAt: number;
  /** It was to be made, and nobody knows what came of it: what is there now may have been there before. */
  unsure: boolean;
  /** Our field set as an answer to a write had it, or as it was found good; undefined: not known. */
  fields: string | undefined;
  /** Failed attempts or repairs in a row, and the moment before which nothing is tried again (`performance.now()`). */
  attempts: number;
  notBefore: number;
}

export interface Evaluation {
  readonly decision: Decision;
  readonly present: StandbyEntry | undefined;
  /** Computed when it is needed: parsing the source costs. @throws DrError of the policy */
  readonly desired: () => KubeObject;
}

export interface LedgerOptions {
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
  /** Replications whose objects are ours: this one, and those of the same name before it. */
  readonly ownUids: ReadonlySet<string>;
  readonly policy: DesiredOf;
  readonly rules: Rules;
}

/** Where versions can't be compared: a write that no view has shown after this long was overtaken by a deletion. */
const ECHO_MS = 30_000;

/** What the destination says about the content of an object. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['ObjectRejected', 'ObjectTooLarge', 'WebhookDenied', 'QuotaExceeded'] as const),
  ...(['ImmutableField', 'ClaimCannotGrow', 'StorageClassNotFound'] as const),
]);

/** Knows for each object what is wanted, and compares that with what is there. No I/O. */
export class Ledger {
  readonly items = new Map<string, Item>();
  readonly #options: LedgerOptions;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  item(type: TypeState, name: string): Item {
    const key = `${type.key}/${name}`;
    const known = this.items.get(key);
    if (known !== undefined) return known;
    const item: Item = {
      ...{ key, kind: type.pair.source.kind, name, type, standing: 'pending', failure: undefined },
      ...{ seen: undefined, want: { kind: 'gone' }, written: undefined, writtenAt: 0 },
      ...{ unsure: false, fields: undefined, attempts: 0, notBefore: 0 },
    };
    this.items.set(key, item);
    return item;
  }

  /** @throws DrError when the rules can't be applied to the object, or the remote lacks its type */
  evaluate(item: Item, now: number): Evaluation {
    const { type, name } = item;
    const entry = type.source.store.get(`${this.#options.sourceNamespace}/${name}`);
    let object: KubeObject | undefined;
    if (entry === undefined) {
      item.want = { kind: 'gone' };
      item.seen = undefined;
    } else if (item.seen !== entry.metadata.resourceVersion) {
      const wanted = this.#options.policy(parseSource(entry), type.pair.source);
      if (wanted.outcome === 'failed') throw wanted.error;
      if (wanted.outcome === 'object') {
        ({ object } = wanted);
        item.want = { kind: 'object', hash: wanted.hash };
      } else item.want = { kind: 'excluded' };
      item.seen = entry.metadata.resourceVersion;
    }
    if (item.want.kind === 'object' && type.pair.standby === undefined) {
      throw new DrError(
        'TypeNotServed',
        `the remote cluster does not serve ${resourceName(type.pair.source)}`,
      );
    }
    const desired = (): KubeObject => (object ??= this.#desired(item, entry));
    const present = this.#present(item, now);
    const decision = decide(
      item.want,
      present && {
        holder: this.#holder(present),
        hash: present.hash,
        deleting: present.metadata.deletionTimestamp !== undefined,
        marked: present.goneSince !== undefined,
        drifted: hasDrifted(item, present, desired),
      },
      this.#options.rules,
    );
    return { decision, present, desired };
  }

  /**
   * The refusal of an object, with the rules of the user that had changed it: one of them may be the cause. They are
   * worked out again, so that nothing has to be remembered of the objects that are taken.
   */
  withRules({ name, type }: Item, err: DrError): DrError {
    if (!refusals.has(err.code)) return err;
    const entry = type.source.store.get(`${this.#options.sourceNamespace}/${name}`);
    const wanted = entry && this.#options.policy(parseSource(entry), type.pair.source);
    if (wanted?.outcome !== 'object' || wanted.rules.length === 0) return err;
    const rules = wanted.rules.map((rule) => `"${rule}"`).join(', ');
    const message = `${err.message} (changed before by spec.transforms ${rules})`;
    return new DrError(err.code, message, { cause: err });
  }

  /** As far as the view of the destination knows. */
  isAbsent({ type, name }: Item): boolean {
    return type.standby?.store.has(`${this.#options.destinationNamespace}/${name}`) !== true;
  }

  /** Our write was there once and is gone, perhaps without an event: a list had neither, or the answer came last. */
  isOvertaken({ type, name, written }: Item): boolean {
    if (written === undefined || type.standby === undefined) return false;
    const isThere = type.standby.store.has(`${this.#options.destinationNamespace}/${name}`);
    return !isThere && hasReached(type.standby.version(), written.metadata.resourceVersion);
  }

  overtaken(type: TypeState): Item[] {
    return [...this.items.values()].filter((item) => item.type === type && this.isOvertaken(item));
  }

  /** Objects at the destination that carry our label, of types that have been looked at. */
  owned(types: Iterable<TypeState>): number {
    let count = 0;
    for (const { standby } of types) {
      for (const key of standby?.store.keys() ?? []) {
        const entry = standby?.store.get(key);
        if (entry !== undefined && this.#holder(entry) === 'us') count += 1;
      }
    }
    return count;
  }

  #desired(item: Item, entry: SourceEntry | undefined): KubeObject {
    if (entry === undefined) throw new DrError('ObjectChanged', `${item.name} is gone at the source`);
    const wanted = this.#options.policy(parseSource(entry), item.type.pair.source);
    if (wanted.outcome === 'object') return wanted.object;
    throw wanted.outcome === 'failed'
      ? wanted.error
      : new DrError('ObjectChanged', `${item.name}: ${wanted.reason}`);
  }

  /** What our own write returned counts until the view is as new as that. */
  #present(item: Item, now: number): StandbyEntry | undefined {
    const seen = item.type.standby?.store.get(`${this.#options.destinationNamespace}/${item.name}`);
    const { written } = item;
    if (written === undefined) return seen;
    const behind =
      seen === undefined
        ? now - item.writtenAt < ECHO_MS && !this.isOvertaken(item)
        : isOlder(seen.metadata.resourceVersion, written.metadata.resourceVersion);
    if (behind) return written;
    item.written = undefined;
    return seen;
  }

  #holder({ replication }: StandbyEntry): Holder {
    if (replication === undefined) return 'nobody of DR-Syncer';
    return this.#options.ownUids.has(replication) ? 'us' : 'another Replication';
  }
}

/**
 * Whether somebody else has changed fields of ours. Compared with what our last write left; where this process has
 * not written the object, with what it wants to own.
 */
function hasDrifted(item: Item, present: StandbyEntry, desired: () => KubeObject): boolean {
  if (item.want.kind !== 'object' || present.hash !== item.want.hash) return false;
  if (item.fields === undefined && ownsAll(desired(), present.owned)) item.fields = present.owned;
  return item.fields !== present.owned;
}
