import type { TransformRule } from '@dr-syncer/api';
import type { ApiResource, KubeObject } from '@dr-syncer/kube';

import { matchesSelector } from '../label-selector.js';
import { LinearRegExp } from '../regexp/linear-regexp.js';
import { isNamed, typeName } from '../type-names.js';

export type Selects = (object: KubeObject, type: ApiResource) => boolean;

/**
 * Whether a rule is for an object: its type is one of those named, its whole name matches the pattern, its labels
 * match. What is not given selects everything.
 *
 * @throws PatternError
 */
export function compileSelector({ kinds, names, labelSelector }: TransformRule['selector']): Selects {
  const pattern = names === undefined ? undefined : new LinearRegExp(names);
  const byType = new Map<string, boolean>();
  const isOfKind = (type: ApiResource): boolean => {
    if (kinds === undefined || kinds.length === 0) return true;
    const key = typeName(type.plural, type.group);
    const known = byType.get(key) ?? kinds.some((kind) => isNamed(type, kind));
    byType.set(key, known);
    return known;
  };
  return (object, type) =>
    isOfKind(type) &&
    matchesSelector(object.metadata.labels, labelSelector) &&
    (pattern === undefined || pattern.matchAll(object.metadata.name) !== undefined);
}
