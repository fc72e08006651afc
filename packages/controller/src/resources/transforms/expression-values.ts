import { isRecord } from '../json.js';

/** JSON as CEL has it: whole numbers are `int`, which it keeps apart from `double`. */
export function toCel(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  // Made here: the library knows a list by its constructor.
  if (Array.isArray(value)) return Array.from(value, toCel);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, toCel(one)]));
}

const MAX_DEPTH = 64;

/**
 * The result of an expression as JSON.
 *
 * @throws Error for what JSON has not: numbers beyond 2^53, bytes, times, types
 */
export function fromCel(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw new Error('the result is nested too deeply');
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return integer(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error('the result is no finite number');
    return value;
  }
  if (Array.isArray(value)) return value.map((one) => fromCel(one, depth + 1));
  if (!isPlain(value)) throw new Error('the result is no JSON value; use string() or other conversions');
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fromCel(one, depth + 1)]));
}

function integer(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error(`the result ${value} is beyond 2^53`);
  return number;
}

/** Bytes, times, types and the like are objects of classes. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (!isRecord(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
