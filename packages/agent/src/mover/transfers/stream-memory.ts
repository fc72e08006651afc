/** A line and its load do not stay what they were. */
const VALID_MS = 3_600_000;
/** Addresses of agents; the longest known is forgotten. */
const MAX_KNOWN = 1024;

/** How many streams were found best for each destination, so that not every transfer has to find it out. */
export class StreamMemory {
  readonly #known = new Map<string, { readonly streams: number; readonly at: number }>();

  /** @param now milliseconds of a clock that only goes forward; undefined: nothing is known, or not any more */
  recall(destination: string, now: number): number | undefined {
    const known = this.#known.get(destination);
    return known !== undefined && now - known.at < VALID_MS ? known.streams : undefined;
  }

  learn(destination: string, streams: number, now: number): void {
    this.#known.delete(destination);
    this.#known.set(destination, { streams, at: now });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}
