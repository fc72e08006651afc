import { createHash } from 'node:crypto';

import { annotation, DrError, FIELD_MANAGER, label, type Replication, toDrError } from '@dr-syncer/api';
import { type ApiResource, groupVersionOf, type KubeObject } from '@dr-syncer/kube';

import { mapClaim } from './claims.js';
import { compileExclusion } from './exclusion.js';
import { sanitize } from './sanitize.js';
import { makeStandby } from './standby.js';

/** What of the Replication and of the two ends decides how an object looks at the destination. */
export interface DesiredContext {
  readonly replication: Pick<Replication, 'metadata' | 'spec'>;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
  /** `Kind.group` of what the source has outside of namespaces. */
  readonly clusterScopedKinds?: ReadonlySet<string>;
}

/** What is to be at the destination for one object of the source. */
export type Desired =
  | { readonly outcome: 'object'; readonly object: KubeObject; readonly hash: string }
  /** Deliberately not copied. */
  | { readonly outcome: 'skipped'; readonly reason: string }
  /** It should be copied and can't be; the message names rule and field. */
  | { readonly outcome: 'failed'; readonly error: DrError };

/**
 * The way of one object from source to destination. Pure and synchronous: the same object gives the same result, and
 * the argument is not changed. `apiVersion` and `kind` are taken from `type`, which items of a list lack.
 */
export type DesiredOf = (source: KubeObject, type: ApiResource) => Desired;

/**
 * Compiles the rules of a Replication, once for all its objects.
 *
 * @throws DrError TransformInvalid when a rule of the spec can't be used, naming it
 */
export function compileDesired(context: DesiredContext): DesiredOf {
  const { spec } = context.replication;
  const excluded = compileExclusion(spec, context.clusterScopedKinds ?? new Set());
  return (source, type) => {
    const whole = { ...source, apiVersion: groupVersionOf(type), kind: type.kind };
    const reason = excluded(whole, type);
    if (reason !== undefined) return { outcome: 'skipped', reason };
    try {
      const object = transformed(whole, context);
      return { outcome: 'object', object, hash: object.metadata.annotations?.[annotation.desiredHash] ?? '' };
    } catch (err) {
      return { outcome: 'failed', error: toDrError(err) };
    }
  };
}

/** The object with our labels, where it came from, and the hash of itself, by which a later run knows it. */
function transformed(source: KubeObject, context: DesiredContext): KubeObject {
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
    [annotation.source]: `${context.sourceNamespace}/${source.metadata.name}`,
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
