import type { KubeObject } from '@dr-syncer/kube';

import { isRecord, type Json } from '../resources/json.js';
import { fullKind } from '../resources/standby/kinds.js';

/** A field that a sync would change. Of what may be a secret, only that it changes is known here. */
export interface FieldChange {
  /** As in `.spec.ports[name=http].port`. */
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly before?: unknown;
  readonly after?: unknown;
  /** The values are not shown. */
  readonly hidden?: true;
}

/** Written by each API server for itself. */
const SERVERS = ['managedFields', 'resourceVersion', 'generation', 'creationTimestamp', 'uid', 'selfLink'];

/**
 * The fields in which two states of one object differ, but for what its server writes and the status. Pure.
 *
 * Of a Secret, no value is in the result but those of labels, type and `immutable`: annotations may repeat what is in it.
 */
export function fieldChanges(before: KubeObject, after: KubeObject): FieldChange[] {
  const isSecret = fullKind(after) === 'Secret';
  return changesOf(comparable(before), comparable(after), '').map((change) =>
    isSecret && !isPlain(change.path) ? { path: change.path, change: change.change, hidden: true } : change,
  );
}

function isPlain(path: string): boolean {
  return path === '.type' || path === '.immutable' || path.startsWith('.metadata.labels');
}

function comparable({ metadata, ...rest }: KubeObject): Json {
  const kept = Object.entries(metadata).filter(([key]) => !SERVERS.includes(key));
  const fields = Object.entries(rest).filter(([key]) => key !== 'status');
  return { ...Object.fromEntries(fields), metadata: Object.fromEntries(kept) };
}

function changesOf(before: unknown, after: unknown, path: string): FieldChange[] {
  if (Object.is(before, after)) return [];
  if (isRecord(before) && isRecord(after)) return changesOfFields(before, after, path);
  if (Array.isArray(before) && Array.isArray(after)) return changesOfItems(before, after, path);
  // Field by field down to the leaves: a map that is added whole may hold more than is to be seen in one line.
  if (before === undefined && isRecord(after) && hasFields(after)) return changesOfFields({}, after, path);
  if (after === undefined && isRecord(before) && hasFields(before)) return changesOfFields(before, {}, path);
  if (before === undefined) return [{ path, change: 'added', after }];
  if (after === undefined) return [{ path, change: 'removed', before }];
  return [{ path, change: 'changed', before, after }];
}

function hasFields(value: Json): boolean {
  return Object.keys(value).length > 0;
}

function changesOfFields(before: Json, after: Json, path: string): FieldChange[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => changesOf(before[key], after[key], `${path}${step(key)}`));
}

function step(key: string): string {
  return /^[A-Za-z_][\w-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** Items that all have a name are compared by it, so that one more in front is not a change of all. */
function changesOfItems(before: readonly unknown[], after: readonly unknown[], path: string): FieldChange[] {
  const [left, right] = [byName(before), byName(after)];
  if (left !== undefined && right !== undefined) {
    const names = [...new Set([...left.keys(), ...right.keys()])];
    return names.flatMap((name) => changesOf(left.get(name), right.get(name), `${path}[name=${name}]`));
  }
  const length = Math.max(before.length, after.length);
  return Array.from({ length }, (_, index) => index).flatMap((index) =>
    changesOf(before[index], after[index], `${path}[${index}]`),
  );
}

function byName(items: readonly unknown[]): ReadonlyMap<string, unknown> | undefined {
  const named = new Map<string, unknown>();
  for (const item of items) {
    const name = isRecord(item) ? item['name'] : undefined;
    if (typeof name !== 'string' || named.has(name)) return undefined;
    named.set(name, item);
  }
  return named;
}
