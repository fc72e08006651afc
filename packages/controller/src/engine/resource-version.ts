/**
 * Whether `a` is a state before `b`. Both are of the same server and type; decimal resourceVersions of one server can
 * be compared (KEP-5504), and that holds for every etcd-backed server before it. Others say nothing: `false`.
 */
export function isOlder(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined || a === b) return false;
  if (!isDecimal(a) || !isDecimal(b)) return false;
  return a.length === b.length ? a < b : a.length < b.length;
}

/** Whether `a` is known to be `b` or a state after it. */
export function hasReached(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a === b || isOlder(b, a);
}

function isDecimal(version: string): boolean {
  return /^[1-9]\d*$/.test(version);
}
