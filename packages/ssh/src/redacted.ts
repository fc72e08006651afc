import { inspect } from 'node:util';

const TEXT = '[redacted]';

/** What holds a secret extends this: no way of printing an object shows anything of it. */
export abstract class Redacted {
  toString(): string {
    return TEXT;
  }

  toJSON(): string {
    return TEXT;
  }

  [inspect.custom](): string {
    return TEXT;
  }
}
