import type { FieldChange, SyncPlan } from '@dr-syncer/controller';

const MAX_VALUE = 120;

/** The plan as a table, each change of a field on a line of its own below its object. */
export function planRows({ objects }: SyncPlan): string[][] {
  return [
    ['ACTION', 'OBJECT', ''],
    ...objects.flatMap(({ action, kind, name, code, reason = '', changes = [] }) => [
      [action, `${kind}/${name}`, code === undefined ? reason : `${code}: ${reason}`],
      ...changes.map((change) => ['', '', line(change)]),
    ]),
  ];
}

/** One line that says how many there are of what. */
export function planSummary({ objects, unchanged, volumes }: SyncPlan): string {
  const counts = new Map<string, number>();
  for (const { action } of objects) counts.set(action, (counts.get(action) ?? 0) + 1);
  const parts = [...counts].map(([action, count]) => `${action} ${count}`);
  const data = volumes.length === 0 ? [] : [`data of ${volumes.length} volumes`];
  return [...parts, `unchanged ${unchanged}`, ...data].join(', ');
}

function line({ path, change, before, after, hidden }: FieldChange): string {
  if (hidden === true) return `${path}: ${change}, value not shown`;
  if (change === 'added') return `${path}: + ${text(after)}`;
  return change === 'removed' ? `${path}: - ${text(before)}` : `${path}: ${text(before)} -> ${text(after)}`;
}

function text(value: unknown): string {
  const json = JSON.stringify(value);
  return json.length > MAX_VALUE ? `${json.slice(0, MAX_VALUE)}... (${json.length} characters)` : json;
}
