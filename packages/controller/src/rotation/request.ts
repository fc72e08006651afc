import { createHash } from 'node:crypto';

import type { RotationRequest } from './machine.js';

export type AskedFor = { readonly request: RotationRequest } | { readonly refused: string };

/** What an annotation asks for. @param revocable whether "revoke" has a meaning */
export function askedBy(name: string, value: string | undefined, revocable: boolean): AskedFor {
  if (value === undefined) return { request: 'none' };
  if (value === 'true') return { request: 'rotate' };
  if (value === 'revoke' && revocable) return { request: 'revoke' };
  const known = revocable ? '"true" to replace the key, "revoke" to have it refused at once' : '"true"';
  return {
    refused: `The annotation ${name} is "${value.slice(0, 40)}", and nothing was done: it takes ${known}.`,
  };
}

/**
 * When a key is to be replaced: after the interval, up to a tenth of it earlier. How much is fixed by the seed, so that
 * keys made together are not all replaced together, and that a restart changes nothing.
 *
 * @param seed something of the object's own, such as its UID
 */
export function dueAt(createdAt: Date, intervalMs: number, seed: string): Date {
  const fraction = createHash('sha256').update(seed).digest().readUInt32BE(0) / 2 ** 32;
  return new Date(createdAt.getTime() + Math.round(intervalMs * (1 - fraction / 10)));
}
