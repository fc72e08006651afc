import { annotation, type DrError, FIELD_MANAGER, label, type Replication, toDrError } from '@dr-syncer/api';
import { type ApiResource, groupVersionOf, type KubeObject } from '@dr-syncer/kube';

import { compileExclusion } from './exclusion.js';
import { hashOf } from './hash.js';
import { compileMappings } from './mapping/mappings.js';
import { mergePatched } from './merge-patch.js';
import { sanitize, type SanitizeOptions } from './sanitize.js';
import { noFacts, type SourceFacts } from './source-facts.js';
import { fullKind } from './standby/kinds.js';
import { awake, parkingPatch } from './standby/standby.js';
import { compileTransforms } from './transforms/transforms.js';

/** What of the Replication and of the two ends decides how an object looks at the destination. */
export interface DesiredContext {
  readonly replication: Pick<Replication, 'metadata' | 'spec'>;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
  /** Without them, custom kinds are not scaled and owners outside of namespaces are not known as such. */
  readonly facts?: () => SourceFacts;
}

/** What is to be at the destination for one object of the source. */
export type Desired =
  | {
      readonly outcome: 'object';
      readonly object: KubeObject;
      readonly hash: string;
      /** Names of the rules of `spec.transforms` that have changed it: for the message when the remote refuses it. */
      readonly rules: readonly string[];
    }
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
 * Compiles the rules of a Replication, once for all its objects: what is left out, what its cluster wrote, mappings,
 * the user's rules, standby, our labels and the hash, in this order.
 *
 * @throws DrError TransformInvalid when a rule of the spec can't be used, naming it
 */
export function compileDesired(context: DesiredContext): DesiredOf {
  const { replication, sourceNamespace, destinationNamespace, facts = () => noFacts } = context;
  const { spec, metadata } = replication;
  const namespaces = { sourceNamespace, destinationNamespace };
  const excluded = compileExclusion(spec, () => facts().clusterScopedKinds);
  const applyMappings = compileMappings({ spec, ...namespaces });
  const applyTransforms = compileTransforms(spec.transforms, namespaces);
  const sanitizing: SanitizeOptions = spec.serviceConfig;
  const make = (given: KubeObject, type: ApiResource): Desired => {
    const source = awake(given, facts().scalePaths);
    const own = sanitize(source, sanitizing);
    own.metadata.namespace = destinationNamespace;
    applyMappings(own);
    const { object, rules } = applyTransforms(own, type);
    const resting = spec.deploymentConfig.scaleToZero ? parked(object, source, facts()) : object;
    const stamped = stamp(resting, metadata.uid, `${sourceNamespace}/${source.metadata.name}`);
    return { outcome: 'object', ...stamped, rules };
  };
  return (source, type) => {
    const whole = { ...source, apiVersion: groupVersionOf(type), kind: type.kind };
    const reason = excluded(whole, type) ?? leftOut(whole, spec);
    if (reason !== undefined) return { outcome: 'skipped', reason };
    try {
      return make(whole, type);
    } catch (err) {
      return { outcome: 'failed', error: toDrError(err) };
    }
  };
}

function leftOut(object: KubeObject, { deploymentConfig }: Replication['spec']): string | undefined {
  const isJob = fullKind(object) === 'Job.batch';
  return isJob && deploymentConfig.jobs === 'Skip' ? 'spec.deploymentConfig.jobs is Skip' : undefined;
}

/** Whether a Job has finished is in the status, which is gone from the object itself. */
function parked(object: KubeObject, { status }: KubeObject, facts: SourceFacts): KubeObject {
  const patch = parkingPatch({ ...object, status }, facts.scalePaths);
  return patch === undefined ? object : (mergePatched(object, patch) as KubeObject);
}

/** Our labels, where it came from, and the hash of it all, by which a later run knows that nothing is to be written. */
function stamp(object: KubeObject, uid: string, origin: string): { object: KubeObject; hash: string } {
  const { labels, annotations } = object.metadata;
  const ours = { [label.managedBy]: FIELD_MANAGER, [label.replication]: uid };
  const metadata = {
    ...object.metadata,
    labels: { ...labels, ...ours },
    annotations: { ...annotations, [annotation.source]: origin },
  };
  const hash = hashOf({ ...object, metadata });
  return {
    object: {
      ...object,
      metadata: { ...metadata, annotations: { ...metadata.annotations, [annotation.desiredHash]: hash } },
    },
    hash,
  };
}
