import { isRecord, type Json } from './json.js';

/** A JSON merge patch of an object: null removes (RFC 7386). */
export type MergePatch = Json;

/** `target` with the patch applied; nothing of `target` or `patch` is changed. */
export function mergePatched(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return structuredClone(patch);
  const result: Json = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else define(result, key, mergePatched(Object.hasOwn(result, key) ? result[key] : undefined, value));
  }
  return result;
}

/** An assignment to `__proto__` would change the object's prototype instead of making a field. */
function define(object: Json, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
