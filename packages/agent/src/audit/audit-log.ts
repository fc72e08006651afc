import { randomBytes } from 'node:crypto';
import type { Writable } from 'node:stream';

import { seal } from './chain.js';

/** Fields of one event. Names of files and their contents are never among them. */
export type AuditFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface AuditLog {
  record(event: string, fields: AuditFields): void;
}

/** For ENABLE_AUDIT_LOG=false. */
export const noAuditLog: AuditLog = { record: () => undefined };

const MAX_FIELD = 4096;
/** Lines that wait for a sink that is slower than the events; more are counted and dropped. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/**
 * One JSON object a line on a sink of its own, numbered and chained by hashes, so that a line that was changed, removed
 * or put in shows (`verifyChain`). Events that the sink could not take are not silently gone: the next line says how
 * many (`dropped`).
 */
export class ChainedAuditLog implements AuditLog {
  readonly #sink: Writable;
  readonly #now: () => Date;
  #seq = 0;
  #prev = randomBytes(32).toString('hex');
  #dropped = 0;

  constructor(sink: Writable, now: () => Date = () => new Date()) {
    this.#sink = sink;
    this.#now = now;
  }

  record(event: string, fields: AuditFields): void {
    if (this.#sink.writableLength > MAX_WAITING_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#seq += 1;
    const dropped = this.#dropped > 0 ? { dropped: this.#dropped } : {};
    this.#dropped = 0;
    const body = JSON.stringify(
      {
        audit: event,
        seq: this.#seq,
        time: this.#now().toISOString(),
        ...dropped,
        ...fields,
        prev: this.#prev,
      },
      (_key, value: unknown) => (typeof value === 'string' ? value.slice(0, MAX_FIELD) : value),
    );
    const { line, hash } = seal(body);
    this.#prev = hash;
    this.#sink.write(`${line}\n`);
  }
}
