import { cloneJson, setField } from './clone-json.js';
import { isRecord, type Json } from './json.js';

/** A JSON merge patch of an object: null removes (RFC 7386). */
export type MergePatch = Json;

/** `target` with the patch applied; nothing of `target` or `patch` is changed. */
export function mergePatched(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return cloneJson(patch);
  const result: Json = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else setField(result, key, mergePatched(Object.hasOwn(result, key) ? result[key] : undefined, value));
  }
  return result;
}
