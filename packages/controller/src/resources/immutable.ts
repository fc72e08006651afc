import { annotation, DrError, label, type ReplicationSpec } from '@dr-syncer/api';
import { type ApiResource, isBeingDeleted, type KubeObject } from '@dr-syncer/kube';

import { recordAt } from './json.js';
import { isNamed } from './type-names.js';

export type ImmutableAction = 'NoChange' | 'Recreate' | 'Fail';

/** What is to be done with an object whose server refuses to change a field; `why` is for people. */
export interface ImmutableDecision {
  readonly action: ImmutableAction;
  readonly why: string;
}

/** The action that the policy has for a type: the first entry that names it. */
export function immutableActionFor(
  policy: ReplicationSpec['immutableResources'],
  type: ApiResource,
): ImmutableAction {
  const entry = (policy.kinds ?? []).find(({ kind }) => isNamed(type, kind));
  return entry?.action ?? policy.default;
}

/**
 * Decides about an object at the destination that can't be made as desired without making it anew. Recreating is
 * refused where it could take something along that is not ours to lose. Pure.
 *
 * @param present the object as it is at the destination now
 * @param others field managers besides ours that own fields of it
 */
export function decideImmutable(
  action: ImmutableAction,
  present: KubeObject,
  others: readonly string[],
): ImmutableDecision {
  if (action !== 'Recreate') return { action, why: `spec.immutableResources says ${action}` };
  const guard = whyNot(present, others);
  return guard === undefined
    ? { action, why: 'spec.immutableResources says Recreate' }
    : { action: 'Fail', why: `it is not made anew: ${guard}` };
}

function whyNot(present: KubeObject, others: readonly string[]): string | undefined {
  const { kind, metadata } = present;
  const { labels, annotations, ownerReferences = [] } = metadata;
  if (labels?.[label.replication] === undefined || annotations?.[annotation.desiredHash] === undefined) {
    return 'it was not made by DR-Syncer';
  }
  if (isBeingDeleted(present)) return 'it is being deleted';
  if (kind === 'PersistentVolumeClaim') return 'the data of the claim would go with it';
  if (ownerReferences.length > 0) return `${ownerReferences.map((owner) => owner.kind).join(', ')} owns it`;
  if (kind === 'Secret' && others.length > 0) return `${others.join(', ')} has written to it`;
  return kind === 'StatefulSet' && takesClaimsAlong(present)
    ? 'its claims would be deleted with it (persistentVolumeClaimRetentionPolicy)'
    : undefined;
}

function takesClaimsAlong(statefulSet: KubeObject): boolean {
  return (
    recordAt(statefulSet, ['spec', 'persistentVolumeClaimRetentionPolicy'])?.['whenDeleted'] === 'Delete'
  );
}

/** What is said when nothing was changed. */
export function immutableError({ action, why }: ImmutableDecision, name: string, refusal: string): DrError {
  const code = action === 'NoChange' ? 'ImmutableKept' : 'ImmutableField';
  return new DrError(code, `${name} can't be changed as the source was (${why}): ${refusal}`);
}
