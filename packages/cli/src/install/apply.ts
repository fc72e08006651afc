import {
  type Discovery,
  isNotFound,
  type KubeClient,
  type KubeObject,
  refOf,
  type Resource,
} from '@dr-syncer/kube';

import { CommandFailure } from '../failure.js';

/** Fields that a person's command wrote, apart from those of the controller. */
export const FIELD_MANAGER = 'dr-syncer-cli';

export interface Change {
  readonly cluster: string;
  readonly kind: string;
  /** `namespace/name`, or the name. */
  readonly name: string;
  readonly change: 'created' | 'changed' | 'unchanged' | 'deleted' | 'kept';
  /** What is kept, and why. */
  readonly note?: string;
}

export interface Target {
  /** For people: `source`, `remote`. */
  readonly cluster: string;
  readonly client: KubeClient;
  readonly discovery: Discovery;
}

interface Typed {
  readonly resource: Resource;
  readonly object: KubeObject;
}

/**
 * The objects with their types, before anything is written.
 *
 * @throws CommandFailure naming every kind that the cluster does not serve
 */
export async function typed(
  { cluster, discovery }: Target,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<Typed[]> {
  const found = await Promise.all(
    objects.map(async (object) => ({
      object,
      resource: await discovery.byKind(object.apiVersion, object.kind, signal),
    })),
  );
  const missing = found.flatMap(({ object, resource }) =>
    resource === undefined ? [`${object.kind} (${object.apiVersion})`] : [],
  );
  if (missing.length > 0) {
    throw new CommandFailure(
      `the ${cluster} cluster does not serve ${[...new Set(missing)].join(', ')}; nothing was installed`,
    );
  }
  return found.flatMap(({ object, resource }) => (resource === undefined ? [] : [{ object, resource }]));
}

/**
 * Makes each object what it should be by server-side apply. A dry run asks the API server what would come of it and
 * writes nothing.
 *
 * @throws KubeError
 */
export async function applyAll(
  target: Target,
  objects: readonly Typed[],
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Change[]> {
  const changes: Change[] = [];
  for (const { resource, object } of objects) {
    changes.push({ ...(await applyOne(target, resource, object, dryRun, signal)) });
  }
  return changes;
}

async function applyOne(
  { cluster, client }: Target,
  resource: Resource,
  object: KubeObject,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Change> {
  const named = { cluster, kind: object.kind, name: nameOf(object) };
  const before = await client.find(refOf(resource, object), { signal });
  // The namespace that it goes into may be among those that a dry run has not made.
  if (before === undefined && dryRun) return { ...named, change: 'created' };
  const options = { fieldManager: FIELD_MANAGER, force: true, dryRun, signal };
  const after = await client.apply(resource, object, options);
  if (before === undefined) return { ...named, change: 'created' };
  return { ...named, change: essence(before) === essence(after) ? 'unchanged' : 'changed' };
}

/** Deletes it, unless it is gone. @throws KubeError */
export async function deleteOne(
  { cluster, client }: Pick<Target, 'cluster' | 'client'>,
  { resource, object }: Typed,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Change | undefined> {
  const ref = refOf(resource, object);
  const present = await client.find(ref, { signal });
  if (present === undefined) return undefined;
  const named = { cluster, kind: object.kind, name: nameOf(object) };
  try {
    const preconditions = { uid: present.metadata.uid };
    await client.delete(ref, { preconditions, propagationPolicy: 'Background', dryRun, signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
  return { ...named, change: 'deleted' };
}

export function nameOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** What a person means by a change: neither who wrote which field, nor the counts of the server. */
function essence(object: KubeObject): string {
  const copy = structuredClone(object);
  delete copy['status'];
  delete copy.metadata.managedFields;
  delete copy.metadata.resourceVersion;
  delete copy.metadata.generation;
  return JSON.stringify(sorted(copy));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, child]) => [key, sorted(child)]));
}
