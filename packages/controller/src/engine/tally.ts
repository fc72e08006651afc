import type { ErrorCode, ReplicationStatus } from '@dr-syncer/api';

const MAX_FAILURES = 5;
const MAX_KINDS = 100;

/** Where an object stands, for the status. */
export type Standing = 'synced' | 'failed' | 'skipped' | 'drifted' | 'kept' | 'pending';

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

interface Counts {
  synced: number;
  failed: number;
  drifted: number;
}

/** What of an object the tally needs to know. */
export interface Counted {
  readonly kind: string;
  readonly name: string;
  standing: Standing;
  failure: Failure | undefined;
}

/**
 * How many objects stand where, kept in step with each change, so that a status never needs a walk over all of them.
 * Failures are kept by object; the status shows the first of each kind.
 */
export class Tally {
  readonly #kinds = new Map<string, Counts>();
  readonly #failing = new Map<string, Set<Counted>>();
  readonly #standing: Record<Standing, number> = {
    ...{ synced: 0, failed: 0, skipped: 0, drifted: 0, kept: 0, pending: 0 },
  };
  /** Written and removed since `begin`. */
  #written = 0;
  #pruned = 0;

  /** A new cycle: counts of what is done begin anew, where objects stand is kept. */
  begin(): void {
    this.#written = 0;
    this.#pruned = 0;
  }

  wrote(): void {
    this.#written += 1;
  }

  pruned(): void {
    this.#pruned += 1;
  }

  add(item: Counted): void {
    this.#count(item, 1);
  }

  remove(item: Counted): void {
    this.#count(item, -1);
  }

  move(item: Counted, standing: Standing, failure?: Failure): void {
    this.#count(item, -1);
    item.standing = standing;
    item.failure = failure;
    this.#count(item, 1);
  }

  get failures(): number {
    return this.#standing.failed;
  }

  get pending(): number {
    return this.#standing.pending;
  }

  get drifted(): number {
    return this.#standing.drifted;
  }

  get written(): number {
    return this.#written;
  }

  /** The first failure, for the one line that people read. */
  get firstFailure(): { text: string; code: ErrorCode } | undefined {
    for (const [kind, items] of this.#failing) {
      for (const { name, failure } of items) {
        if (failure !== undefined) return { text: `${kind}/${name}: ${failure.message}`, code: failure.code };
      }
    }
    return undefined;
  }

  /** Names of objects that have drifted and are left so; at most `max`. */
  stats(): NonNullable<ReplicationStatus['syncStats']> {
    const { synced, failed, skipped, drifted, kept, pending } = this.#standing;
    return {
      ...{ total: synced + failed + drifted + pending, applied: this.#written },
      unchanged: Math.max(0, synced - this.#written),
      ...{ failed, skipped },
      ...(drifted > 0 && { drifted }),
      ...(kept > 0 && { kept }),
      ...(this.#pruned > 0 && { pruned: this.#pruned }),
    };
  }

  /** Kinds with failures first, then by name; bounded. */
  byKind(): NonNullable<ReplicationStatus['resourceStatus']> {
    return [...this.#kinds]
      .filter(([, { synced, failed, drifted }]) => synced + failed + drifted > 0)
      .sort(([a, x], [b, y]) => Number(y.failed > 0) - Number(x.failed > 0) || a.localeCompare(b))
      .slice(0, MAX_KINDS)
      .map(([kind, { synced, failed, drifted }]) => {
        const failures = this.#firstOf(kind);
        return {
          ...{ kind, synced, failed },
          ...(drifted > 0 && { drifted }),
          ...(failures.length > 0 && { failures }),
        };
      });
  }

  #firstOf(kind: string): { name: string; reason: string; message: string }[] {
    const found: { name: string; reason: string; message: string }[] = [];
    for (const { name, failure } of this.#failing.get(kind) ?? []) {
      if (found.length === MAX_FAILURES) break;
      if (failure !== undefined) {
        found.push({ name, reason: failure.code, message: failure.message.slice(0, 512) });
      }
    }
    return found;
  }

  #count(item: Counted, by: 1 | -1): void {
    this.#standing[item.standing] += by;
    const counts = this.#kinds.get(item.kind) ?? { synced: 0, failed: 0, drifted: 0 };
    this.#kinds.set(item.kind, counts);
    if (item.standing === 'synced') counts.synced += by;
    else if (item.standing === 'drifted') counts.drifted += by;
    if (item.standing !== 'failed') return;
    counts.failed += by;
    const failing = this.#failing.get(item.kind) ?? new Set();
    this.#failing.set(item.kind, failing);
    if (by === 1) failing.add(item);
    else failing.delete(item);
  }
}
