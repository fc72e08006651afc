import type { KubeObject } from '@dr-syncer/kube';

import { nested, recordAt } from '../json.js';
import { mergePatched, type MergePatch } from '../merge-patch.js';
import { fullKind, scalePathOf, type ScalePaths } from './kinds.js';
import { pausingOf, running } from './pausing.js';
import { isResting, parkReplicas, unparkReplicas } from './replicas.js';

/**
 * What brings an object to rest: no replicas (or as many as the label `scale-override` says), CronJobs and Jobs
 * suspended, DaemonSets parked, autoscalers and KEDA kept from starting anything. What the source had is kept in
 * annotations, so that undoing it needs nothing but the destination; an object that is at rest already (a source that was
 * parked for a planned failover) keeps the notes it has. Pure.
 *
 * @param object as in the source; the status may be there and is read
 * @param custom scale paths of custom kinds in the cluster of `object`
 * @returns a merge patch; undefined: there is nothing in this kind that runs
 * @throws DrError CannotPark
 */
export function parkingPatch(object: KubeObject, custom: ScalePaths): MergePatch | undefined {
  const scale = scalePathOf(object, custom);
  if (scale !== undefined) return parkReplicas(object, scale);
  return pausingOf(fullKind(object))?.park(object, running(object));
}

/**
 * The inverse of `parkingPatch`: starts what was brought to rest, as it was in the source, and takes the notes off, so
 * that doing it twice does nothing. Needs the object at the destination and nothing else. Pure.
 *
 * @returns a merge patch; undefined: the object is not at rest
 */
export function activationPatch(object: KubeObject, custom: ScalePaths): MergePatch | undefined {
  const scale = scalePathOf(object, custom);
  if (scale !== undefined) return unparkReplicas(object, scale);
  return pausingOf(fullKind(object))?.unpark(object);
}

/**
 * The object of a source as it is when it runs: a planned failover has brought it to rest, with what it had in its
 * annotations. So the standby stays what it was when the source stops. Pure; the same object when it runs.
 *
 * @throws DrError CannotPark
 */
export function awake(object: KubeObject, custom: ScalePaths): KubeObject {
  const scale = scalePathOf(object, custom);
  if (scale !== undefined && !isResting(object, scale)) return object;
  const patch = activationPatch(object, custom);
  if (patch === undefined) return object;
  const woken = mergePatched(object, patch) as KubeObject;
  const selector = recordAt(woken, ['spec', 'template', 'spec', 'nodeSelector']);
  if (selector === undefined || Object.keys(selector).length > 0) return woken;
  // Servers keep no empty selector, and it would look like a change.
  return mergePatched(woken, nested(['spec', 'template', 'spec', 'nodeSelector'], null)) as KubeObject;
}

/** Whether objects of its kind run something, at rest or not. */
export function canRun(object: KubeObject, custom: ScalePaths): boolean {
  return scalePathOf(object, custom) !== undefined || pausingOf(fullKind(object)) !== undefined;
}
