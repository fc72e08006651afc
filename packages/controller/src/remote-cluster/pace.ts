import type { DrError } from '@dr-syncer/api';

/**
 * How often a cluster that is fine is looked at again. What matters sooner comes by itself: its Secret and its object
 * are watched.
 */
export const HEALTHY_MS = 5 * 60_000;

/** How soon agents that are still coming up are looked at again; `looks` so far. */
export function comingUpMs(looks: number): number {
  return Math.min(60_000, 2_000 * 1.5 ** Math.max(0, looks - 15));
}

export function retryMs({ code, kind }: DrError): number {
  if (kind === 'retry') return 5_000;
  // The keys that are pinned are a Secret of the other cluster. As long as they are the same, no agent is spoken to.
  if (code === 'HostKeyMismatch') return 30_000;
  // What heals these is watched, the permissions of an account in another cluster excepted.
  return kind === 'wait' ? 30_000 : HEALTHY_MS;
}
