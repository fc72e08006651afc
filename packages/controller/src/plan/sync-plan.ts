import type { ErrorCode } from '@dr-syncer/api';

import type { FieldChange } from './field-changes.js';

/**
 * What a sync would do about one object:
 * - create, update, repair (somebody else changed it), recreate (a field can't be changed), prune: this
 * - fail: it would be tried and not succeed
 * - drifted: it is not as in the source, and the spec wants that left
 * - held: its source is gone, and it waits for its grace or for a person
 * - keep: its source is gone or excluded, and it stays
 * - skip: it is not copied
 */
export type PlanAction =
  'create' | 'update' | 'repair' | 'recreate' | 'prune' | 'fail' | 'drifted' | 'held' | 'keep' | 'skip';

export interface PlannedObject {
  readonly action: PlanAction;
  readonly kind: string;
  /** `plural.group` of it, or `plural`. */
  readonly type: string;
  /** `*`: all of the type. */
  readonly name: string;
  readonly reason?: string;
  /** Of the table of errors, for `fail`. */
  readonly code?: ErrorCode;
  /** For `update`, `repair` and `recreate`. */
  readonly changes?: readonly FieldChange[];
  /** The destination could not be asked whether it would take the object, because what has to be there first is not. */
  readonly unchecked?: true;
}

/** What the next sync of a Replication would do to objects if it began now. */
export interface SyncPlan {
  /** `namespace/name`. */
  readonly replication: string;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
  /** A sync would have nothing to do, and nothing fails or waits. */
  readonly inStep: boolean;
  readonly unchanged: number;
  /** All but the unchanged ones, in the order of a sync. */
  readonly objects: readonly PlannedObject[];
  /** Claims whose data a sync copies. */
  readonly volumes: readonly string[];
  readonly warnings: readonly string[];
}

const harmless: ReadonlySet<PlanAction> = new Set(['skip', 'keep']);

export function isInStep(objects: readonly PlannedObject[]): boolean {
  return objects.every(({ action }) => harmless.has(action));
}
