import type { LabelSelector, ReplicationSpec } from '@dr-syncer/api';
import { label } from '@dr-syncer/api';
import type { ApiResource, Discovery, KubeObject } from '@dr-syncer/kube';

import { deniedObject, deniedType, typeName } from './deny.js';

/** Objects of the same kind under two groups are one object; the older group of each pair is left out. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['events', 'events.events.k8s.io'],
  ['ingresses.extensions', 'ingresses.networking.k8s.io'],
]);

export interface TypeSelection {
  readonly types: readonly ApiResource[];
  /** Names in `resourceTypes` or `excludeResources` that the source does not serve. */
  readonly unknown: readonly string[];
}

/** The types to copy: what the source serves and lets list, less what is never copied, less what is excluded whole. */
export async function selectTypes(
  discovery: Discovery,
  spec: Pick<ReplicationSpec, 'resourceTypes' | 'excludeResources'>,
  signal: AbortSignal,
): Promise<TypeSelection> {
  const listable = await discovery.resources(
    { namespaced: true, verbs: ['list', 'create', 'patch'] },
    signal,
  );
  const all = listable.filter(
    (type) =>
      deniedType(type.plural, type.group) === undefined && !aliases.has(typeName(type.plural, type.group)),
  );
  const unknown: string[] = [];
  const names = (spec.resourceTypes ?? []).filter((name) => name !== '*');
  const everything = names.length === 0 || spec.resourceTypes?.includes('*') === true;
  const wanted = everything ? undefined : await resolved(discovery, names, unknown, signal);
  const wholesale = (spec.excludeResources ?? []).filter((entry) => entry.name === undefined);
  const excluded = await resolved(
    discovery,
    wholesale.map((entry) => entry.kind),
    unknown,
    signal,
  );
  const isIn = (set: readonly ApiResource[], type: ApiResource) =>
    set.some((one) => one.plural === type.plural && one.group === type.group);
  return {
    types: all.filter((type) => (wanted === undefined || isIn(wanted, type)) && !isIn(excluded, type)),
    unknown,
  };
}

async function resolved(
  discovery: Discovery,
  names: readonly string[],
  unknown: string[],
  signal: AbortSignal,
): Promise<ApiResource[]> {
  const found: ApiResource[] = [];
  for (const name of names) {
    const type = await discovery.resolve(name, signal);
    if (type === undefined) unknown.push(name);
    else found.push(type);
  }
  return found;
}

/** Why this object is not copied; undefined: it is. */
export function excludedObject(
  object: KubeObject,
  type: ApiResource,
  spec: Pick<ReplicationSpec, 'excludeResources'>,
): string | undefined {
  if (object.metadata.labels?.[label.ignore] === 'true') return `labelled ${label.ignore}`;
  if (object.metadata.deletionTimestamp !== undefined) return 'is being deleted';
  const excluded = (spec.excludeResources ?? []).some(
    (entry) => entry.name === object.metadata.name && isNameOf(type, entry.kind),
  );
  if (excluded) return 'named in spec.excludeResources';
  return deniedObject(object);
}

function isNameOf(type: ApiResource, name: string): boolean {
  const names = [
    type.kind,
    type.plural,
    type.singular,
    typeName(type.plural, type.group),
    ...type.shortNames,
  ];
  return names.some((one) => one.toLowerCase() === name.toLowerCase());
}

/** As the `labelSelector` parameter of a list (Kubernetes documentation, "Labels and Selectors"). */
export function selectorText(selector: LabelSelector | undefined): string | undefined {
  if (selector === undefined) return undefined;
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return `${key} in (${values.join(',')})`;
      case 'NotIn':
        return `${key} notin (${values.join(',')})`;
      case 'Exists':
        return key;
      case 'DoesNotExist':
        return `!${key}`;
    }
  });
  const text = [...equal, ...expressions].join(',');
  return text === '' ? undefined : text;
}
