import { annotation, DrError, label } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { nested, valueAt } from '../json.js';
import { mergePatched, type MergePatch } from '../merge-patch.js';
import type { ScalePath } from './kinds.js';

/** Stands for "no number", which is not the same as any number for an operator. */
const UNSET = 'unset';

/** @throws DrError CannotPark when the kind does not take the number */
export function parkReplicas(object: KubeObject, scale: ScalePath): MergePatch {
  const { path, minimum, absent } = scale;
  const present = valueAt(object, path);
  const original = typeof present === 'number' ? present : absent;
  const wanted = scaleOverride(object) ?? 0;
  if (wanted < minimum) {
    throw new DrError(
      'CannotPark',
      `${path.join('.')} of ${object.kind} ${object.metadata.name} can't be ${wanted}: its schema takes ${minimum} or more`,
    );
  }
  // Of an object that runs, a note says nothing: anybody may have written it.
  const noted = isResting(object, scale)
    ? object.metadata.annotations?.[annotation.originalReplicas]
    : undefined;
  const note = {
    metadata: { annotations: { [annotation.originalReplicas]: noted ?? String(original ?? UNSET) } },
  };
  return mergePatched(nested(path, wanted), note) as MergePatch;
}

/** Whether it has the number that parking gives it. @throws DrError CannotPark */
export function isResting(object: KubeObject, { path }: ScalePath): boolean {
  return valueAt(object, path) === (scaleOverride(object) ?? 0);
}

/** What parking did, undone; undefined: it is not parked. */
export function unparkReplicas(object: KubeObject, { path }: ScalePath): MergePatch | undefined {
  const original = object.metadata.annotations?.[annotation.originalReplicas];
  if (original === undefined) return undefined;
  const value = /^\d+$/.test(original) ? Number(original) : null;
  const note = { metadata: { annotations: { [annotation.originalReplicas]: null } } };
  return { ...nested(path, value), ...note };
}

/**
 * The number that the label asks for; undefined: there is no label.
 *
 * @throws DrError CannotPark when it is no number
 */
export function scaleOverride(object: KubeObject): number | undefined {
  const value = object.metadata.labels?.[label.scaleOverride];
  if (value === undefined) return undefined;
  if (/^\d{1,5}$/.test(value)) return Number(value);
  throw new DrError(
    'CannotPark',
    `label ${label.scaleOverride} of ${object.kind} ${object.metadata.name} is "${value}", not a number from 0 to 99999`,
  );
}
