/**
 * SELinux MLS/MCS levels: `s0`, `s0:c1,c5`, `s0:c0.c3`, `s0-s0:c0.c1023`. The kernel writes them with ascending
 * categories, without repetitions, runs of three and more as `c0.c2` (mls_compute_context_len and
 * mls_sid_to_context in security/selinux/ss/mls.c); OpenShift's annotations have them descending.
 */
interface Level {
  readonly sensitivity: number;
  readonly categories: readonly number[];
}

const MAX_SENSITIVITY = 15;
const MAX_CATEGORY = 1023;

/** The one spelling of a level that the kernel would give back; null: not a level. */
export function canonicalLevel(text: string): string | null {
  const parts = text.split('-');
  if (parts.length > 2) return null;
  const [low, high] = parts.map(parseLevel);
  if (low === undefined || low === null || high === null) return null;
  const lowText = write(low);
  if (high === undefined) return lowText;
  if (high.sensitivity < low.sensitivity || !low.categories.every((c) => high.categories.includes(c)))
    return null;
  const highText = write(high);
  return highText === lowText ? lowText : `${lowText}-${highText}`;
}

/** Whether two levels mean the same, however they are written. What is no level equals nothing. */
export function sameLevel(a: string, b: string): boolean {
  const canonical = canonicalLevel(a);
  return canonical !== null && canonical === canonicalLevel(b);
}

function parseLevel(text: string): Level | null {
  const match = /^s(\d{1,2})(?::(.+))?$/.exec(text);
  const sensitivity = Number(match?.[1]);
  if (!match || sensitivity > MAX_SENSITIVITY) return null;
  const found = new Set<number>();
  for (const item of match[2]?.split(',') ?? []) {
    const range = parseCategories(item);
    if (range === null) return null;
    for (let category = range.first; category <= range.last; category++) found.add(category);
  }
  return { sensitivity, categories: [...found].sort((a, b) => a - b) };
}

function parseCategories(item: string): { first: number; last: number } | null {
  const match = /^c(\d{1,4})(?:\.c(\d{1,4}))?$/.exec(item);
  if (!match) return null;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= MAX_CATEGORY ? { first, last } : null;
}

function write({ sensitivity, categories }: Level): string {
  const items: string[] = [];
  for (let i = 0; i < categories.length;) {
    let end = i;
    while (categories[end + 1] === (categories[end] ?? 0) + 1) end++;
    const run = categories.slice(i, end + 1).map((category) => `c${category}`);
    if (run.length > 2) items.push(`${run[0] ?? ''}.${run.at(-1) ?? ''}`);
    else items.push(...run);
    i = end + 1;
  }
  return items.length === 0 ? `s${sensitivity}` : `s${sensitivity}:${items.join(',')}`;
}
