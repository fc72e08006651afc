import type { DrError } from '@dr-syncer/api';

import { CopyAtRest, type CopyAtRestOptions } from './copy-at-rest.js';
import { copyVolume, type Way } from './copy-volume.js';
import { hookSessions } from './hook-sessions.js';

/**
 * Copies the volumes of a sync. Where hooks ask for it, their pods are brought to rest first and back afterwards,
 * however it ends; volumes without hooks don't wait for those.
 *
 * @returns what went wrong with hooks, besides what the volumes themselves say
 * @throws DrError HookInvalid; KubeError
 */
export async function copyVolumes(
  options: CopyAtRestOptions,
  claims: readonly string[],
  way: Way,
  signal: AbortSignal,
): Promise<DrError | undefined> {
  const sessions = await hookSessions(options, claims, way, signal);
  const concerned = new Set(sessions.flatMap((session) => session.claims));
  const others = claims.filter((claim) => !concerned.has(claim));
  const plain = Promise.all(others.map((claim) => copyVolume(options, claim, way, signal)));
  if (sessions.length === 0) {
    await plain;
    return undefined;
  }
  const [problem] = await Promise.all([new CopyAtRest(options, way, sessions, signal).run(), plain]);
  return problem;
}
