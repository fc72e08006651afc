import { createHash } from 'node:crypto';

import { annotation, FIELD_MANAGER, label, type Replication } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { mapClaim } from './claims.js';
import { sanitize } from './sanitize.js';
import { makeStandby } from './standby.js';

/** What of the Replication and of the two ends decides how an object looks at the destination. */
export interface DesiredContext {
  readonly replication: Replication;
  readonly destinationNamespace: string;
}

/**
 * The object as it should be at the destination: a pure function of source object and Replication. It carries our
 * labels, where it came from, and the hash of itself, by which a later run knows that nothing has to be written.
 */
export function desiredObject(source: KubeObject, context: DesiredContext): KubeObject {
  const { spec, metadata } = context.replication;
  const object = sanitize(source, { preserveNodePorts: spec.serviceConfig.preserveNodePorts });
  object.metadata.namespace = context.destinationNamespace;
  if (object.kind === 'PersistentVolumeClaim') mapClaim(object, spec.pvcConfig);
  if (spec.deploymentConfig.scaleToZero) makeStandby(object);
  object.metadata.labels = {
    ...object.metadata.labels,
    [label.managedBy]: FIELD_MANAGER,
    [label.replication]: metadata.uid,
  };
  object.metadata.annotations = {
    ...object.metadata.annotations,
    [annotation.source]: `${source.metadata.namespace ?? ''}/${source.metadata.name}`,
  };
  object.metadata.annotations[annotation.desiredHash] = hashOf(object);
  return object;
}

/** Stable over key order; 24 hex digits of SHA-256 are plenty against chance. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 24);
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) => {
    if (v === null || typeof v !== 'object' || Array.isArray(v)) return v;
    return Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}
