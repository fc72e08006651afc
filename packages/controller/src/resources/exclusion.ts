import { label, type ReplicationSpec } from '@dr-syncer/api';
import { type ApiResource, isBeingDeleted, type KubeObject } from '@dr-syncer/kube';

import { deniedObject, type DenyOptions } from './deny.js';
import { matchesSelector } from './label-selector.js';
import { isNamed, typeName } from './type-names.js';

export type ExclusionSpec = Pick<
  ReplicationSpec,
  'excludeResources' | 'excludeLabels' | 'labelSelector' | 'includeControlled' | 'includeHelmReleases'
>;

/** Why an object is not copied; undefined: it is. The object has its `apiVersion` and `kind`. */
export type Exclusion = (object: KubeObject, type: ApiResource) => string | undefined;

interface OfType {
  readonly wholly: boolean;
  readonly names: ReadonlySet<string>;
  readonly deny: Omit<DenyOptions, 'clusterScopedKinds'>;
}

/**
 * Compiles the rules once, so that asking about an object costs no walk over the spec.
 *
 * @param clusterScopedKinds as `DenyOptions` has them
 */
export function compileExclusion(
  spec: ExclusionSpec,
  clusterScopedKinds: () => ReadonlySet<string> = () => new Set(),
): Exclusion {
  const compiled = new Map<string, OfType>();
  const rulesOf = (type: ApiResource): OfType => {
    const key = typeName(type.plural, type.group);
    const known = compiled.get(key) ?? compileType(spec, type);
    compiled.set(key, known);
    return known;
  };
  return (object, type) => {
    const { wholly, names, deny } = rulesOf(type);
    return (
      unwanted(object, spec) ??
      (wholly || names.has(object.metadata.name) ? 'named in spec.excludeResources' : undefined) ??
      deniedObject(object, { ...deny, clusterScopedKinds: clusterScopedKinds() })
    );
  };
}

function compileType(spec: ExclusionSpec, type: ApiResource): OfType {
  const entries = (spec.excludeResources ?? []).filter(({ kind }) => isNamed(type, kind));
  return {
    wholly: entries.some(({ name }) => name === undefined),
    names: new Set(entries.flatMap(({ name }) => name ?? [])),
    deny: {
      helmReleases: spec.includeHelmReleases,
      controlled: (spec.includeControlled ?? []).some((name) => isNamed(type, name)),
    },
  };
}

function unwanted(object: KubeObject, spec: ExclusionSpec): string | undefined {
  const { labels } = object.metadata;
  if (labels?.[label.ignore] === 'true') return `labelled ${label.ignore}`;
  // Of ours, for the length of a transfer.
  if (labels?.[label.placeholder] !== undefined) return 'made by DR-Syncer';
  if (isBeingDeleted(object)) return 'is being deleted';
  if (!matchesSelector(labels, spec.labelSelector)) return 'does not match spec.labelSelector';
  const excluded = (spec.excludeLabels ?? []).find(({ key, value }) => {
    const present = labels?.[key];
    return present !== undefined && (value === undefined || value === present);
  });
  return excluded === undefined ? undefined : `has the label ${excluded.key} of spec.excludeLabels`;
}
