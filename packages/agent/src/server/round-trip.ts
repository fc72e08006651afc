/** Bytes a millisecond that one stream is to be able to take: about 1 GB/s, what one core decrypts. */
const BYTES_PER_MS = 2 ** 20;

/**
 * How long the line is, from the login: the shortest time between an answer of ours and what the client says to it. An
 * upper bound, because the client had something to do meanwhile.
 */
export class RoundTrip {
  readonly #now: () => number;
  #answeredAt: number | undefined;
  #shortest = Infinity;

  /** `now`: milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  answered(): void {
    this.#answeredAt = this.#now();
  }

  heard(): void {
    if (this.#answeredAt !== undefined)
      this.#shortest = Math.min(this.#shortest, this.#now() - this.#answeredAt);
    this.#answeredAt = undefined;
  }

  /** Milliseconds; Infinity when nothing was measured. */
  get shortest(): number {
    return this.#shortest;
  }

  /** The power of two that a window has to have to keep such a line full; infinite when nothing was measured. */
  usefulWindow(): number {
    return 2 ** Math.ceil(Math.log2(this.#shortest * BYTES_PER_MS));
  }
}
