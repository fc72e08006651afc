import { annotation } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { isRecord, recordAt, records, specOf } from '../json.js';
import type { MergePatch } from '../merge-patch.js';
import { scaleOverride } from './replicas.js';

/** How a kind is brought to rest, and what undoes it. Both are merge patches; undefined: nothing to do. */
export interface Pausing {
  /** @param running at least this many of it are asked to run by the label scale-override; 0: none */
  park(object: KubeObject, running: number): MergePatch | undefined;
  unpark(object: KubeObject): MergePatch | undefined;
}

/** Label of a node that no node has. */
export const PARKED_SELECTOR = 'dr-syncer.io/parked';

const note = (key: string, value: string | null) => ({ metadata: { annotations: { [key]: value } } });
const noted = (object: KubeObject, key: string) => object.metadata.annotations?.[key];

/** CronJobs and Jobs: `spec.suspend`. A Job that has finished is not started again by undoing. */
const suspending: Pausing = {
  park: (object, running) => {
    const before = noted(object, annotation.originalSuspend);
    const original =
      before === undefined ? specOf(object)['suspend'] === true || isFinished(object) : before === 'true';
    const suspend = original || running === 0;
    return { spec: { suspend }, ...note(annotation.originalSuspend, String(original)) };
  },
  unpark: (object) => {
    const original = noted(object, annotation.originalSuspend);
    if (original === undefined) return undefined;
    return { spec: { suspend: original === 'true' }, ...note(annotation.originalSuspend, null) };
  },
};

/** Jobs at their end have one of these conditions; they are read before the status is dropped. */
function isFinished(object: KubeObject): boolean {
  const conditions = isRecord(object['status']) ? records(object['status']['conditions']) : [];
  return conditions.some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
}

/** DaemonSets have no number: a node selector that no node matches. What the user selects by stays beside it. */
const parkedSelector: Pausing = {
  park: (_object, running) => {
    if (running > 0) return undefined;
    return { spec: { template: { spec: { nodeSelector: { [PARKED_SELECTOR]: 'true' } } } } };
  },
  unpark: (object) => {
    const selector = recordAt(object, ['spec', 'template', 'spec', 'nodeSelector']);
    if (selector?.[PARKED_SELECTOR] === undefined) return undefined;
    return { spec: { template: { spec: { nodeSelector: { [PARKED_SELECTOR]: null } } } } };
  },
};

/**
 * An autoscaler leaves a workload with 0 replicas alone, unless its own minimum is 0 (feature HPAScaleToZero): then
 * it would start the standby at the first measurement.
 */
const autoscaler: Pausing = {
  park: (object, running) => {
    if (running > 0 || specOf(object)['minReplicas'] !== 0) return undefined;
    return { spec: { minReplicas: 1 }, ...note(annotation.originalMinReplicas, '0') };
  },
  unpark: (object) => {
    const original = noted(object, annotation.originalMinReplicas);
    if (original === undefined) return undefined;
    return { spec: { minReplicas: Number(original) }, ...note(annotation.originalMinReplicas, null) };
  },
};

/** KEDA starts a workload at 0 by itself, unless it is told to pause by an annotation of its own. */
function kedaPausing(key: string, valueFor: (running: number) => string | undefined): Pausing {
  return {
    park: (object, running) => {
      const value = valueFor(running);
      if (value === undefined) return undefined;
      const original = noted(object, annotation.originalPaused) ?? noted(object, key) ?? '';
      return { metadata: { annotations: { [key]: value, [annotation.originalPaused]: original } } };
    },
    unpark: (object) => {
      const original = noted(object, annotation.originalPaused);
      if (original === undefined) return undefined;
      const restored = original === '' ? null : original;
      return { metadata: { annotations: { [key]: restored, [annotation.originalPaused]: null } } };
    },
  };
}

const byKind: ReadonlyMap<string, Pausing> = new Map([
  ['CronJob.batch', suspending],
  ['Job.batch', suspending],
  ['DaemonSet.apps', parkedSelector],
  ['HorizontalPodAutoscaler.autoscaling', autoscaler],
  ['ScaledObject.keda.sh', kedaPausing('autoscaling.keda.sh/paused-replicas', String)],
  ['ScaledJob.keda.sh', kedaPausing('autoscaling.keda.sh/paused', (n) => (n > 0 ? undefined : 'true'))],
]);

export function pausingOf(kind: string): Pausing | undefined {
  return byKind.get(kind);
}

/** How many the label asks for; 0 without one. @throws DrError CannotPark */
export function running(object: KubeObject): number {
  return scaleOverride(object) ?? 0;
}
