/** `burst` at once, then `perSecond`. The time is given in, so that it needs no timer and tests need no clock. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #at: number;

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
    this.#at = nowMs;
  }

  /** Takes one if there is one. */
  take(nowMs: number): boolean {
    const refilled = this.#tokens + ((nowMs - this.#at) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, refilled);
    this.#at = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Milliseconds until there is one, as of the last `take`. */
  get waitMs(): number {
    return Math.max(0, ((1 - this.#tokens) / this.#perSecond) * 1000);
  }
}
