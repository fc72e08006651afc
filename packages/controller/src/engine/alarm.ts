/** Longest delay that a Node.js timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls once at the earliest of the moments that it was asked for. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  within(ms: number): void {
    if (this.#closed || !Number.isFinite(ms)) return;
    const at = performance.now() + ms;
    if (at >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(
      () => {
        this.#at = Number.POSITIVE_INFINITY;
        this.#ring();
      },
      Math.min(ms, MAX_TIMER_MS),
    );
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
