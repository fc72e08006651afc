import { DrError, type ReplicationSpec } from '@dr-syncer/api';
import type { ApiResource, Discovery } from '@dr-syncer/kube';

import { deniedType } from './deny.js';
import { typesNamed } from './type-names.js';

export interface TypeSelection {
  readonly types: readonly ApiResource[];
  /** Names in the spec that the source serves no type for. */
  readonly unknown: readonly string[];
  /** Names in `resourceTypes` of types that are never copied, with the reason. */
  readonly refused: readonly { readonly name: string; readonly why: string }[];
}

type SelectingSpec = Pick<ReplicationSpec, 'resourceTypes' | 'excludeResources' | 'includeControlled'>;

/** An object of such a type can be read and written as it is. */
const verbs = ['list', 'create', 'patch'];

/**
 * The types to copy: what the source serves and lets list, less what is never copied, less what is excluded whole. A
 * name that has several meanings means all of them; with its group behind it, one.
 *
 * @throws KubeError when the source can't say what it serves
 */
export async function selectTypes(
  discovery: Pick<Discovery, 'resources' | 'resolve'>,
  spec: SelectingSpec,
  signal: AbortSignal,
): Promise<TypeSelection> {
  await lookAgain(discovery, spec, signal);
  return selectFrom(await discovery.resources({}, signal), spec);
}

/** Discovery looks for a name that it does not know at the server before it says so. */
async function lookAgain(
  discovery: Pick<Discovery, 'resolve'>,
  spec: SelectingSpec,
  signal: AbortSignal,
): Promise<void> {
  for (const name of namesIn(spec)) if (name !== '*') await discovery.resolve(name, signal);
}

function namesIn({
  resourceTypes = [],
  excludeResources = [],
  includeControlled = [],
}: SelectingSpec): string[] {
  return [...resourceTypes, ...excludeResources.map(({ kind }) => kind), ...includeControlled];
}

/** Pure part of `selectTypes`. */
export function selectFrom(served: readonly ApiResource[], spec: SelectingSpec): TypeSelection {
  const unknown = [...new Set(namesIn(spec).filter((name) => typesNamed(served, name).length === 0))];
  const wholesale = (spec.excludeResources ?? []).filter(({ name }) => name === undefined);
  const excluded = new Set(wholesale.flatMap(({ kind }) => typesNamed(served, kind)));
  const names = spec.resourceTypes ?? [];
  const wanted = names.length === 0 ? served : names.flatMap((name) => typesNamed(served, name));
  const types = [...new Set(wanted)].filter((type) => !excluded.has(type) && notCopied(type) === undefined);
  return { types, unknown, refused: refusedNames(served, names) };
}

function refusedNames(served: readonly ApiResource[], names: readonly string[]): TypeSelection['refused'] {
  return names.flatMap((name) => {
    const meant = name === '*' ? [] : typesNamed(served, name);
    const reasons = meant.map(notCopied);
    const [why] = reasons;
    return why !== undefined && reasons.every((one) => one !== undefined) ? [{ name, why }] : [];
  });
}

function notCopied(type: ApiResource): string | undefined {
  if (!type.namespaced) return 'is not namespaced; see spec.clusterResources';
  const denied = deniedType(type.plural, type.group);
  if (denied !== undefined) return `is never copied: ${denied}`;
  const missing = verbs.filter((verb) => !type.verbs.includes(verb));
  return missing.length === 0 ? undefined : `can't be copied: it has no ${missing.join(', ')}`;
}

/** @throws DrError UnknownResourceType that names every name of no use, so that none is passed over in silence */
export function requireKnown({ unknown, refused }: TypeSelection): void {
  const problems = [
    ...(unknown.length > 0 ? [`the source cluster serves no type ${unknown.join(', ')}`] : []),
    ...refused.map(({ name, why }) => `${name} ${why}`),
  ];
  if (problems.length > 0) throw new DrError('UnknownResourceType', problems.join('; '));
}
