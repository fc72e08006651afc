import { kubeToDrError } from '@dr-syncer/kube';

import type { Item } from './ledger.js';
import { type Orphan, planPrune, type PruneRules } from './prune-guard.js';
import type { StandbyEntry } from './snapshots.js';
import type { Tally } from './tally.js';
import type { Writer } from './writer.js';

export interface PrunerOptions {
  readonly rules: PruneRules;
  /** The token that somebody has given on the Replication. */
  readonly confirmed: () => string | undefined;
  /** Asks the source itself, once more: whether the namespace is well and the object is not in it. */
  readonly isGone: (item: Item, signal: AbortSignal) => Promise<boolean>;
  readonly writer: Writer;
  readonly tally: Tally;
}

export interface PruneStatus {
  readonly waiting: number;
  readonly token?: string;
  readonly names?: string[];
}

const MAX_NAMES = 10;
const RETRY_MS = 30_000;

/** Removes what is ours and has no source any more, when its grace is over and the guard lets it. */
export class Pruner {
  readonly #options: PrunerOptions;
  readonly #orphans = new Map<Item, StandbyEntry>();
  #status: PruneStatus | undefined;
  #nextAt: number | undefined;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  add(item: Item, present: StandbyEntry): void {
    this.#orphans.set(item, present);
  }

  drop(item: Item): void {
    this.#orphans.delete(item);
  }

  /** `undefined`: there is nothing to prune. */
  get status(): PruneStatus | undefined {
    return this.#status;
  }

  /** Milliseconds since 1970. */
  get nextAt(): number | undefined {
    return this.#nextAt;
  }

  get isDue(): boolean {
    return this.#orphans.size > 0 && (this.#nextAt === undefined || this.#nextAt <= Date.now());
  }

  /** Never rejects; what can't be marked or removed now is tried again. @param owned objects of ours in all */
  async run(owned: number, signal: AbortSignal): Promise<void> {
    const { rules, confirmed } = this.#options;
    const byKey = new Map([...this.#orphans].map(([item, present]) => [item.key, { item, present }]));
    const orphans = [...byKey.values()].map(({ item, present }) => orphanOf(item, present));
    const plan = planPrune(orphans, owned, rules, confirmed(), Date.now());
    this.#nextAt = plan.nextAt;
    const entries = (list: readonly Orphan[]) => list.flatMap(({ key }) => byKey.get(key) ?? []);
    await Promise.all(entries(plan.mark).map(({ item, present }) => this.#mark(item, present, signal)));
    // What others refer to goes last.
    const doomed = entries(plan.remove).sort((a, b) => b.item.type.rank - a.item.type.rank);
    for (let rank = Infinity, begin = 0; begin < doomed.length;) {
      rank = doomed[begin]?.item.type.rank ?? rank;
      const batch = doomed.filter(({ item }) => item.type.rank === rank);
      await Promise.all(batch.map(({ item, present }) => this.#remove(item, present, signal)));
      begin += batch.length;
    }
    this.#status = statusOf(this.#orphans.size, plan.held);
  }

  async #mark(item: Item, present: StandbyEntry, signal: AbortSignal): Promise<void> {
    const { standby } = item.type.pair;
    if (standby === undefined) return;
    const since = new Date();
    try {
      if (!(await this.#options.isGone(item, signal))) return;
      await this.#options.writer.mark(standby, present, since.toISOString(), signal);
      this.#soon(since.getTime() + this.#options.rules.graceSeconds * 1000);
      // The view will bring the marked object; until then this is what is known.
      this.#orphans.set(item, { ...present, goneSince: since.toISOString() });
    } catch {
      this.#soon(Date.now() + RETRY_MS);
    }
  }

  async #remove(item: Item, present: StandbyEntry, signal: AbortSignal): Promise<void> {
    const { standby } = item.type.pair;
    if (standby === undefined) return;
    try {
      if (!(await this.#options.isGone(item, signal))) return;
      await this.#options.writer.remove(standby, present, signal);
      this.#orphans.delete(item);
      this.#options.tally.pruned();
    } catch (err) {
      if (signal.aborted) return;
      const { code, message } = kubeToDrError(err);
      // Changed since it was seen: it is looked at again first.
      if (code !== 'ObjectChanged') this.#options.tally.move(item, 'failed', { code, message });
      this.#soon(Date.now() + RETRY_MS);
    }
  }

  #soon(at: number): void {
    this.#nextAt = Math.min(this.#nextAt ?? at, at);
  }
}

/** An object of ours, as the guard sees it. */
export function orphanOf({ key }: Pick<Item, 'key'>, { isClaim, goneSince }: StandbyEntry): Orphan {
  const since = goneSince === undefined ? NaN : Date.parse(goneSince);
  return { key, isClaim, goneSince: Number.isNaN(since) ? undefined : since };
}

function statusOf(
  waiting: number,
  held: { orphans: readonly Orphan[]; token: string } | undefined,
): PruneStatus | undefined {
  if (waiting === 0) return undefined;
  if (held === undefined) return { waiting };
  return { waiting, token: held.token, names: held.orphans.slice(0, MAX_NAMES).map(({ key }) => key) };
}
