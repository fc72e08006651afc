/** Steps through objects whose shape nobody has checked: what is not there or something else is passed over. */
export type Json = Record<string, unknown>;

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The objects in a list; nothing when it is no list. */
export function records(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** `object.spec`, or an object of its own that changes nothing. */
export function specOf(object: Json): Json {
  return recordAt(object, ['spec']) ?? {};
}

/** The object at a path; undefined when any step is missing. */
export function recordAt(root: Json, path: readonly string[]): Json | undefined {
  let at: unknown = root;
  for (const step of path) {
    if (!isRecord(at) || !Object.hasOwn(at, step)) return undefined;
    at = at[step];
  }
  return isRecord(at) ? at : undefined;
}

/** The value at a path. */
export function valueAt(root: Json, path: readonly string[]): unknown {
  const last = path.at(-1);
  if (last === undefined) return root;
  const parent = recordAt(root, path.slice(0, -1));
  return parent !== undefined && Object.hasOwn(parent, last) ? parent[last] : undefined;
}

/** `{a: {b: value}}` for the path a, b. */
export function nested(path: readonly string[], value: unknown): Json {
  return path.reduceRight<unknown>((inner, step) => ({ [step]: inner }), value) as Json;
}
