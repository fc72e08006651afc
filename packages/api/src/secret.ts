import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * Holds a value that must never be printed: string conversion, JSON and inspection all give "[redacted]", so it can
 * sit in configuration objects and errors without a leak. `reveal` is the one way to the value; its calls are easy to
 * find and to review.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
