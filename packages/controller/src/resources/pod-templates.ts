import { type KubeObject, splitApiVersion } from '@dr-syncer/kube';

import { isRecord, type Json, recordAt } from './json.js';
import { kindName } from './type-names.js';

/** Where the kinds of Kubernetes, and custom kinds that follow them, have their pod template. */
const TEMPLATE = ['spec', 'template'];
const elsewhere: Readonly<Record<string, readonly string[]>> = {
  'CronJob.batch': ['spec', 'jobTemplate', 'spec', 'template'],
  PodTemplate: ['template'],
  'ScaledJob.keda.sh': ['spec', 'jobTargetRef', 'template'],
};

/**
 * The pod templates of an object, to be read or changed in place. A custom kind counts when what it has at
 * `spec.template` has containers.
 */
export function podTemplates(object: KubeObject): Json[] {
  const { group } = splitApiVersion(object.apiVersion);
  const template = recordAt(object, elsewhere[kindName(object.kind, group)] ?? TEMPLATE);
  if (template === undefined || !isRecord(template['spec'])) return [];
  return Array.isArray(template['spec']['containers']) ? [template] : [];
}
