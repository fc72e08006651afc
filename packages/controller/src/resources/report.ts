import type { DrError, ReplicationStatus } from '@dr-syncer/api';

const MAX_FAILURES = 5;
const MAX_KINDS = 100;

interface KindCount {
  synced: number;
  failed: number;
  failures: { name: string; reason: string; message: string }[];
}

/** Counts what happened to the objects of one sync, by kind, with the first failures by name. */
export class ResourceReport {
  readonly #kinds = new Map<string, KindCount>();
  #applied = 0;
  #unchanged = 0;
  #skipped = 0;
  #failed = 0;

  applied(kind: string): void {
    this.#applied += 1;
    this.#of(kind).synced += 1;
  }

  unchanged(kind: string): void {
    this.#unchanged += 1;
    this.#of(kind).synced += 1;
  }

  /** Deliberately not copied. */
  skipped(): void {
    this.#skipped += 1;
  }

  failed(kind: string, name: string, err: DrError): void {
    this.#failed += 1;
    const count = this.#of(kind);
    count.failed += 1;
    if (count.failures.length < MAX_FAILURES) {
      count.failures.push({ name, reason: err.code, message: err.message.slice(0, 512) });
    }
  }

  get failures(): number {
    return this.#failed;
  }

  /** The first failure, for the one line that people read. */
  get firstFailure(): string | undefined {
    for (const [kind, { failures }] of this.#kinds) {
      const [first] = failures;
      if (first !== undefined) return `${kind}/${first.name}: ${first.message}`;
    }
    return undefined;
  }

  stats(): NonNullable<ReplicationStatus['syncStats']> {
    return {
      total: this.#applied + this.#unchanged + this.#failed,
      applied: this.#applied,
      unchanged: this.#unchanged,
      failed: this.#failed,
      skipped: this.#skipped,
    };
  }

  /** Kinds with failures first, then by name; bounded. */
  byKind(): NonNullable<ReplicationStatus['resourceStatus']> {
    return [...this.#kinds]
      .sort(([a, x], [b, y]) => Number(y.failed > 0) - Number(x.failed > 0) || a.localeCompare(b))
      .slice(0, MAX_KINDS)
      .map(([kind, { synced, failed, failures }]) => ({
        ...{ kind, synced, failed },
        ...(failures.length > 0 && { failures }),
      }));
  }

  #of(kind: string): KindCount {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const fresh: KindCount = { synced: 0, failed: 0, failures: [] };
    this.#kinds.set(kind, fresh);
    return fresh;
  }
}
