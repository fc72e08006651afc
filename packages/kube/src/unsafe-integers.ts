import { isRecord } from './status-response.js';

const MAX_NAMED = 8;

/**
 * Paths of integers beyond ±(2^53 - 1), for example `spec.startNanos`. The server keeps 64 bits and a JavaScript number
 * does not, so writing such an object to another cluster would change it without a sign; who copies objects has to
 * refuse these. At most eight are named.
 */
export function unsafeIntegers(value: unknown, path = ''): string[] {
  // Nearly no object has one, and each is looked at: names are made only for those that have.
  if (!hasUnsafe(value)) return [];
  if (typeof value === 'number') return [path];
  const found: string[] = [];
  for (const [step, child] of children(value)) {
    found.push(...unsafeIntegers(child, path + step));
    if (found.length >= MAX_NAMED) break;
  }
  const named = found.slice(0, MAX_NAMED);
  return path === '' ? named.map((one) => one.replace(/^\./, '')) : named;
}

function hasUnsafe(value: unknown): boolean {
  if (typeof value === 'number') return isUnsafe(value);
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) ? value.some(hasUnsafe) : Object.values(value).some(hasUnsafe);
}

/** What does not fit into 64 bits is a floating-point number for the server as well. */
function isUnsafe(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) <= 2 ** 64;
}

function children(value: unknown): [string, unknown][] {
  if (Array.isArray(value)) return value.map((item, index) => [`[${index}]`, item]);
  return isRecord(value) ? Object.entries(value).map(([key, item]) => [`.${key}`, item]) : [];
}
