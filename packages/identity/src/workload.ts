import { containerSecurityContextSchema, podSecurityContextSchema } from './scc/types.js';
import { isId } from './mover-context.js';
import { shown } from './refusal.js';
import { z } from 'zod';

/** A pod that mounts the volume, with the containers that mount it. Contexts as the API server gives them. */
export interface WorkloadPod {
  readonly name: string;
  readonly securityContext?: unknown;
  readonly containers: readonly { readonly name: string; readonly securityContext?: unknown }[];
}

export interface Agreed<T> {
  readonly value: T;
  /** A pod that says so, for `origins`. */
  readonly pod: string;
}

/** What all pods that mount a volume agree on. A field that none of them sets, or that they differ in, is absent. */
export interface WorkloadValues {
  readonly runAsUser?: Agreed<number>;
  readonly runAsGroup?: Agreed<number>;
  readonly fsGroup?: Agreed<number>;
  readonly supplementalGroups?: Agreed<readonly number[]>;
  readonly fsGroupChangePolicy?: Agreed<'OnRootMismatch' | 'Always'>;
  readonly seLinuxChangePolicy?: Agreed<'MountOption' | 'Recursive'>;
  readonly seLinuxLevel?: Agreed<string>;
}

const podSchema = podSecurityContextSchema.extend({
  fsGroupChangePolicy: z.enum(['OnRootMismatch', 'Always']).nullish().catch(undefined),
  seLinuxChangePolicy: z.enum(['MountOption', 'Recursive']).nullish().catch(undefined),
});

/** One value of one container (or of the pod, when none mounts the volume by itself). */
interface Saying {
  readonly pod: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Something to be said about a field. */
export interface Note {
  readonly field: string;
  readonly text: string;
}

/** Every id that pods name. */
export interface WorkloadIds {
  readonly users: readonly number[];
  readonly groups: readonly number[];
}

/** All ids that the pods name, whether they agree or not; each once. */
export function workloadIds(pods: readonly WorkloadPod[]): WorkloadIds {
  const sayings = pods.flatMap(sayingsOf).map(({ values }) => values);
  const of = (...fields: string[]): number[] => [
    ...new Set(sayings.flatMap((values) => fields.flatMap((field) => values[field])).filter(isId)),
  ];
  return { users: of('runAsUser'), groups: of('runAsGroup', 'fsGroup', 'supplementalGroups') };
}

/** @returns the values, and a note for each field in which the pods differ. */
export function workloadValues(pods: readonly WorkloadPod[]): { values: WorkloadValues; notes: Note[] } {
  const sayings = pods.flatMap(sayingsOf);
  const notes: Note[] = [];
  const values: WorkloadValues = {
    ...pick('runAsUser', sayings, isId, notes),
    ...pick('runAsGroup', sayings, isId, notes),
    ...pick('fsGroup', sayings, isId, notes),
    ...pick('supplementalGroups', sayings, isIdList, notes),
    ...pick(
      'fsGroupChangePolicy',
      sayings,
      (v): v is 'OnRootMismatch' | 'Always' => typeof v === 'string',
      notes,
    ),
    ...pick(
      'seLinuxChangePolicy',
      sayings,
      (v): v is 'MountOption' | 'Recursive' => typeof v === 'string',
      notes,
    ),
    ...pick('seLinuxLevel', sayings, (v): v is string => typeof v === 'string' && v !== '', notes),
  };
  return { values, notes };
}

function sayingsOf(pod: WorkloadPod): Saying[] {
  const own = podSchema.safeParse(pod.securityContext ?? {}).data ?? {};
  const containers = pod.containers.length > 0 ? pod.containers : [{ name: '' }];
  return containers.map(({ securityContext }) => {
    const inner = containerSecurityContextSchema.safeParse(securityContext ?? {}).data ?? {};
    return {
      pod: pod.name,
      values: {
        ...own,
        runAsUser: inner.runAsUser ?? own.runAsUser,
        runAsGroup: inner.runAsGroup ?? own.runAsGroup,
        seLinuxLevel: inner.seLinuxOptions?.level ?? own.seLinuxOptions?.level,
      },
    };
  });
}

function pick<K extends string, T>(
  field: K,
  sayings: readonly Saying[],
  is: (value: unknown) => value is T,
  notes: Note[],
): { [key in K]?: Agreed<T> } {
  let found: Agreed<T> | undefined;
  for (const { pod, values } of sayings) {
    const value = values[field];
    if (!is(value)) continue;
    if (found !== undefined && key(found.value) !== key(value)) {
      const text = `the pods that mount the volume differ in ${field}: ${shown(found.value)} in ${found.pod}, ${shown(value)} in ${pod}; neither is taken`;
      notes.push({ field, text });
      return {};
    }
    found ??= { value, pod };
  }
  const result: { [key in K]?: Agreed<T> } = {};
  if (found !== undefined) result[field] = found;
  return result;
}

/** Lists of groups are sets. */
function key(value: unknown): string {
  return Array.isArray(value)
    ? JSON.stringify([...new Set(value as number[])].sort((a, b) => a - b))
    : JSON.stringify(value);
}

function isIdList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every(isId);
}
