import type { ProgressReport } from './progress.js';

/** How far it is. */
export interface Estimate {
  /** 0..100, never goes back; absent while the list of files grows and nobody knows how far. */
  readonly percent?: number;
  /** Size of all files; absent until it is known well enough. */
  readonly bytesTotal?: number;
  readonly filesTotal?: number;
}

/** More is said only of a whole list. */
const MOST_GROWING_PERCENT = 99;

/** Within this the total is said to be known. */
const TOTAL_PRECISION = 1.02;

/**
 * rsync's percentage counts bytes of what it sends against the size of everything, so with little to send it never
 * gets far. Where most files turned out to need nothing, the share of files looked at says more.
 *
 * rsync does not say the size of everything either, but each percentage, rounded down, bounds it from both sides.
 *
 * The list of a large volume grows nearly to the end. Until then entries are counted, if it is known how many there are.
 *
 * Reports from within a file do not say whether the list is complete. Until the first file is done they are believed:
 * a database in one file would show nothing for an hour otherwise.
 */
export class Estimator {
  readonly #expectedEntries: number | undefined;
  #growing = false;
  #filesTotal: number | undefined;
  #percent = 0;
  #low = 0;
  #high = Number.POSITIVE_INFINITY;

  constructor(expectedEntries?: number) {
    this.#expectedEntries = expectedEntries;
  }

  update(report: ProgressReport): Estimate {
    const { known, complete } = report;
    if (known !== undefined && this.#growing === complete) {
      this.#growing = !complete;
      if (this.#growing) this.#forget();
    }
    if (this.#growing) return this.#whileGrowing(report);
    this.#bound(report);
    const filesTotal = known ?? this.#filesTotal;
    this.#filesTotal = filesTotal;
    this.#percent = Math.max(this.#percent, Math.min(100, this.#share(report)));
    const bytesTotal = this.#bytesTotal();
    return {
      percent: Math.round(this.#percent * 10) / 10,
      ...(bytesTotal === undefined ? {} : { bytesTotal }),
      ...(filesTotal === undefined ? {} : { filesTotal }),
    };
  }

  #whileGrowing({ known, toCheck = 0 }: ProgressReport): Estimate {
    const expected = this.#expectedEntries;
    if (expected === undefined) return {};
    if (known !== undefined) {
      const share = (100 * (known - toCheck)) / Math.max(expected, known);
      this.#percent = Math.max(this.#percent, Math.min(MOST_GROWING_PERCENT, share));
    }
    return { percent: Math.round(this.#percent * 10) / 10 };
  }

  #share(report: ProgressReport): number {
    const { bytes, percent, files = 0, toCheck = 0, known } = report;
    if (known !== undefined && files * 2 < known - toCheck) return (100 * (known - toCheck)) / known;
    const total = this.#bytesTotal();
    return total === undefined ? percent : (100 * bytes) / total;
  }

  #bytesTotal(): number | undefined {
    return this.#high <= this.#low * TOTAL_PRECISION ? Math.round((this.#low + this.#high) / 2) : undefined;
  }

  #bound({ bytes, percent }: ProgressReport): void {
    if (percent < 1 || bytes === 0) return;
    this.#low = Math.max(this.#low, (bytes * 100) / (percent + 1));
    this.#high = Math.min(this.#high, (bytes * 100) / percent);
  }

  /** What was believed of a first file was said without the others. */
  #forget(): void {
    this.#percent = 0;
    this.#low = 0;
    this.#high = Number.POSITIVE_INFINITY;
  }
}
