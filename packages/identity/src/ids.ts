import { rangesText, type NamespaceLimits } from './namespace-limits.js';
import { MOVER_CONTEXT, type MoverContext } from './mover-context.js';
import type { ResolveInput } from './resolution.js';
import { sccAnnotation } from './scc/annotations.js';
import { inRanges } from './scc/groups.js';
import type { IdRange } from './scc/types.js';
import type { Agreed, Note, WorkloadValues } from './workload.js';

export interface Choice<T> {
  readonly value: T;
  readonly origin: string;
}

/** All that the choice of ids depends on. Notes are added to `notes`. */
export interface Wishes {
  readonly input: Pick<ResolveInput, 'side' | 'privilege' | 'labels'>;
  readonly context: MoverContext;
  readonly workload: WorkloadValues;
  readonly limits: NamespaceLimits;
  readonly notes: Note[];
}

/**
 * Runs as nobody when nothing names a user: what a privileged reader needs is its one capability. Not root, who
 * would own, and so could write, much of the node's file system even without capabilities.
 */
const NOBODY = 65534;

/** Undefined: left to the default of the namespace, if it has one. */
export function chooseUser(wishes: Wishes): Choice<number> | undefined {
  const { input, context, workload, limits } = wishes;
  if (context.runAsUser !== undefined) return explicit('runAsUser', context.runAsUser);
  if (!input.privilege.privileged) {
    return fromWorkload(wishes, 'runAsUser', workload.runAsUser, limits.users && [limits.users]);
  }
  if (input.side === 'destination') return { value: 0, origin: 'privileged movers: receives as root' };
  if (workload.runAsUser && workload.runAsUser.value !== 0) return workloadChoice(workload.runAsUser);
  if (limits.users && limits.users.min !== 0) {
    return { value: limits.users.min, origin: annotationOrigin(sccAnnotation.uidRange) };
  }
  return { value: NOBODY, origin: 'privileged movers: reads as nobody' };
}

/**
 * Undefined: left to the default of the namespace, if it has one. With privilege only what is asked for by name: a
 * privileged copy is there to keep groups as they are.
 */
export function chooseFsGroup(wishes: Wishes): Choice<number> | undefined {
  const { input, context, workload, limits } = wishes;
  if (context.fsGroup !== undefined) return explicit('fsGroup', context.fsGroup);
  if (input.privilege.privileged) return undefined;
  return fromWorkload(wishes, 'fsGroup', workload.fsGroup, limits.fsGroups);
}

export function chooseGroups(wishes: Wishes): Choice<readonly number[]> {
  const { input, context, workload, limits } = wishes;
  if (context.supplementalGroups !== undefined)
    return explicit('supplementalGroups', context.supplementalGroups);
  const found = workload.supplementalGroups;
  if (input.privilege.privileged || found === undefined) return { value: [], origin: 'none named' };
  const value = found.value.filter((id) => objection(id, limits.groups) === null);
  const [refused] = found.value.filter((id) => !value.includes(id));
  if (refused !== undefined)
    wishes.notes.push(notTaken('supplementalGroups', { ...found, value: refused }, limits.groups));
  return { value, origin: workloadOrigin(found) };
}

/**
 * The primary group. A pod that names none gets the image's, mostly 0; a process of the node must not have that, so
 * it is the group of the volume, or the number of the user.
 */
export function chooseGroup(
  wishes: Wishes,
  uid: number,
  fsGroup: Choice<number> | undefined,
  groups: Choice<readonly number[]>,
): Choice<number> {
  const { context, workload, limits, input } = wishes;
  if (context.runAsGroup !== undefined) return explicit('runAsGroup', context.runAsGroup);
  if (!input.privilege.privileged) {
    const found = fromWorkload(wishes, 'runAsGroup', workload.runAsGroup, limits.groups);
    if (found) return found;
  }
  if (fsGroup) return { value: fsGroup.value, origin: `the fsGroup (${fsGroup.origin})` };
  const [first] = groups.value;
  if (first !== undefined && !input.privilege.privileged) {
    return { value: first, origin: `first of the supplemental groups (${groups.origin})` };
  }
  return { value: uid, origin: 'no group named: the number of the user' };
}

export function explicit<T>(field: string, value: T): Choice<T> {
  return { value, origin: `${MOVER_CONTEXT}.${field}` };
}

export function annotationOrigin(name: string): string {
  return `namespace annotation ${name}`;
}

export function workloadOrigin({ pod }: Agreed<unknown>): string {
  return `securityContext of the workload (pod ${pod})`;
}

function workloadChoice<T>(agreed: Agreed<T>): Choice<T> {
  return { value: agreed.value, origin: workloadOrigin(agreed) };
}

function fromWorkload(
  wishes: Wishes,
  field: string,
  found: Agreed<number> | undefined,
  ranges: readonly IdRange[] | undefined,
): Choice<number> | undefined {
  if (found === undefined) return undefined;
  if (objection(found.value, ranges) === null) return workloadChoice(found);
  wishes.notes.push(notTaken(field, found, ranges));
  return undefined;
}

/** What the workload has is an offer: where it may not be taken, a note says so, and the next best is. */
function notTaken(
  field: string,
  { value, pod }: Agreed<number>,
  ranges: readonly IdRange[] | undefined,
): Note {
  return { field, text: `${field} ${value} of pod ${pod} is not taken: ${objection(value, ranges) ?? ''}` };
}

function objection(id: number, ranges: readonly IdRange[] | undefined): string | null {
  if (id === 0) return 'root only with privileged movers';
  return ranges === undefined || inRanges(id, ranges) ? null : `the namespace allows ${rangesText(ranges)}`;
}
