import { FIELD_MANAGER } from '@dr-syncer/api';

type Fields = Record<string, unknown>;

interface ManagedFieldsEntry {
  readonly time?: string;
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: unknown;
}

/**
 * The fields that our last apply owns, as the server writes them down (`fieldsV1`, deterministic text), or "" when we
 * own none.
 *
 * This is how drift is found: whoever gives a field of ours another value, or removes it, takes it out of this set
 * (KEP-555, "updating fields that are owned by others"). Defaults, status and whatever else controllers write into
 * fields that we did not apply never are in it, so they can't look like drift.
 */
export function ownedFields(managedFields: readonly unknown[] | undefined): string {
  const ours = ourEntry(managedFields);
  return ours?.fieldsV1 === undefined ? '' : JSON.stringify(ours.fieldsV1);
}

function ourEntry(managedFields: readonly unknown[] | undefined): ManagedFieldsEntry | undefined {
  return (managedFields as readonly ManagedFieldsEntry[] | undefined)?.find(
    ({ manager, operation, subresource = '' }) =>
      manager === FIELD_MANAGER && operation === 'Apply' && subresource === '',
  );
}

/**
 * Whether somebody else had written fields of the object by the time of our first apply: then it is theirs, and ours
 * was merged with it. Only for an object that we have applied once; in doubt, within a second, it is theirs.
 */
export function wasThereBefore(managedFields: readonly unknown[] | undefined): boolean {
  const ours = ourEntry(managedFields)?.time ?? '';
  return ((managedFields ?? []) as readonly ManagedFieldsEntry[]).some(
    ({ manager, subresource = '', time = '' }) =>
      manager !== FIELD_MANAGER && subresource === '' && time <= ours,
  );
}

/** Managers other than ours that own fields of the object itself. Marks are ours, too. */
export function otherManagers(managedFields: readonly unknown[] | undefined): string[] {
  const names = ((managedFields ?? []) as readonly ManagedFieldsEntry[])
    .filter(({ manager = '', subresource = '' }) => !manager.startsWith(FIELD_MANAGER) && subresource === '')
    .map(({ manager = '?' }) => manager);
  return [...new Set(names)];
}

/**
 * Whether we own everything that `desired` says, which after our own apply and with no drift is so. For a state that
 * we have not written ourselves in this life of the process; else the text of the set is simply compared.
 *
 * Lists need no schema: the server has keyed the items (`k:`), listed them as a set (`v:`) or owns the list whole.
 *
 * @param fields `ownedFields` of the object
 */
export function ownsAll(desired: Record<string, unknown>, fields: string): boolean {
  if (fields === '') return false;
  const owned = JSON.parse(fields) as Fields;
  const { metadata, ...rest } = desired as { metadata?: Record<string, unknown> };
  const parts: Record<string, unknown> = { ...rest };
  // What names the object is never in the set.
  for (const identity of ['apiVersion', 'kind']) Reflect.deleteProperty(parts, identity);
  const { labels, annotations } = metadata ?? {};
  const named = Object.fromEntries(
    Object.entries({ labels, annotations }).filter(([, value]) => value !== undefined),
  );
  return covers({ ...parts, metadata: named }, owned);
}

function covers(value: unknown, fields: unknown): boolean {
  if (!isFields(fields)) return false;
  // An empty set is a leaf: the value is owned whole. One with "." alone owns that there is something, and none of it.
  if (Object.keys(fields).length === 0) return true;
  const inner = Object.keys(fields).filter((key) => key !== '.');
  if (Array.isArray(value)) return coversList(value, fields, inner);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, child]) => isNothing(child) || covers(child, fields[`f:${key}`]));
}

/** Servers drop these where they mean nothing, and then own nothing. */
function isNothing(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function coversList(list: readonly unknown[], fields: Fields, inner: readonly string[]): boolean {
  const keyed = inner.filter((key) => key.startsWith('k:'));
  if (keyed.length > 0) {
    const items = keyed.map((key) => ({ key: JSON.parse(key.slice(2)) as Fields, fields: fields[key] }));
    return list.every((item) => {
      const found = items.find(({ key }) => hasKey(item, key));
      return found !== undefined && covers(item, found.fields);
    });
  }
  const values = new Set(inner.filter((key) => key.startsWith('v:')).map((key) => key.slice(2)));
  return list.every((item) => values.has(JSON.stringify(item)));
}

/** A part of the key that the item leaves out has been defaulted by the server (`protocol` of ports). */
function hasKey(item: unknown, key: Fields): boolean {
  if (!isFields(item)) return false;
  return Object.entries(key).every(([name, value]) => item[name] === undefined || item[name] === value);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
