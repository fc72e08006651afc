import { setTimeout as sleep } from 'node:timers/promises';

import type { Kubectl } from './kubectl.js';

const RECONNECT_MS = 500;

export interface Limit {
  /** Longest wait in milliseconds. */
  readonly timeoutMs: number;
  /** The error to throw then. */
  readonly expired: () => Error;
}

/**
 * Watches one object until `visit` returns something else than undefined, and returns that. `visit` sees every state
 * that the API server reports, so also what happens between two looks of a poll.
 */
export async function watchUntil<T>(
  kubectl: Kubectl,
  collection: string,
  name: string,
  limit: Limit,
  visit: (object: unknown) => T | undefined,
): Promise<T> {
  const deadline = AbortSignal.timeout(limit.timeoutMs);
  const path = `${collection}?fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`;
  for (;;) {
    for await (const event of kubectl.watch(path, deadline)) {
      // ERROR: the server asks to start again.
      if (event.type === 'ERROR') break;
      if (event.type === 'DELETED') continue;
      const result = visit(event.object);
      if (result !== undefined) return result;
    }
    kubectl.signal.throwIfAborted();
    if (deadline.aborted) throw limit.expired();
    await sleep(RECONNECT_MS, undefined, { signal: kubectl.signal });
  }
}
