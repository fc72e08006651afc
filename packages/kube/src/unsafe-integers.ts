import { isRecord } from './status-response.js';

const MAX_NAMED = 8;

/**
 * Paths of integers beyond ±(2^53 - 1), for example `spec.startNanos`. The server keeps 64 bits and a JavaScript number
 * does not, so writing such an object to another cluster would change it without a sign; who copies objects has to
 * refuse these. At most eight are named.
 */
export function unsafeIntegers(value: unknown, path = ''): string[] {
  if (typeof value === 'number') return isUnsafe(value) ? [path] : [];
  const found: string[] = [];
  for (const [step, child] of children(value)) {
    found.push(...unsafeIntegers(child, path + step));
    if (found.length >= MAX_NAMED) return found.slice(0, MAX_NAMED);
  }
  return path === '' ? found.map((one) => one.replace(/^\./, '')) : found;
}

/** What does not fit into 64 bits is a floating-point number for the server as well. */
function isUnsafe(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) <= 2 ** 64;
}

function* children(value: unknown): Generator<[string, unknown]> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield [`[${index}]`, item];
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) yield [`.${key}`, item];
  }
}
