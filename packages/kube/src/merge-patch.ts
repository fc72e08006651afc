import { isDeepStrictEqual } from 'node:util';
import { isRecord } from './status-response.js';

/**
 * The JSON merge patch (RFC 7386) that turns `from` into `to`; `undefined` when they are the same. Lists are replaced
 * as a whole. A property that is `undefined` is one that is not there, as in JSON.
 */
export function mergePatch(from: unknown, to: Record<string, unknown>): Record<string, unknown> | undefined {
  const before = isRecord(from) ? from : {};
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(before)) {
    if (before[key] !== undefined && to[key] === undefined) patch[key] = null;
  }
  for (const [key, value] of Object.entries(to)) {
    if (value === undefined || isDeepStrictEqual(before[key], value)) continue;
    const part = isRecord(value) && isRecord(before[key]) ? mergePatch(before[key], value) : value;
    if (part !== undefined) patch[key] = part;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}
