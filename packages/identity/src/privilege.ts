import { annotation } from '@dr-syncer/api';
import type { Annotations } from './scc/annotations.js';

/** What the administrator of the controller allows, whatever namespaces are annotated with. */
export interface PrivilegePolicy {
  /** Source namespaces that may have privileged movers; `*` is all of them, an empty list forbids it altogether. */
  readonly allowedNamespaces: readonly string[];
  /** The ends whose namespaces have to carry the annotation. */
  readonly annotatedAt: 'Both' | 'Source' | 'Destination';
}

export interface PrivilegeEnd {
  readonly namespace: string;
  readonly annotations: Annotations;
}

/** Why privilege is granted or not, for machines. */
export type PrivilegeReason = 'Annotated' | 'NotAnnotated' | 'AnnotationMissing' | 'ForbiddenBySettings';

export interface PrivilegeDecision {
  readonly privileged: boolean;
  readonly code: PrivilegeReason;
  /** At least one end asks for it: worth saying why it is refused. */
  readonly requested: boolean;
  /** For status and events. */
  readonly reason: string;
}

/**
 * Whether the transfers of a namespace run privileged. Decided anew for each sync, so that taking an annotation
 * away takes effect.
 */
export function decidePrivilege(
  source: PrivilegeEnd,
  destination: PrivilegeEnd,
  policy: PrivilegePolicy,
): PrivilegeDecision {
  const ends = { source: asks(source.annotations), destination: asks(destination.annotations) };
  const requested = ends.source || ends.destination;
  if (!requested) {
    const reason = `no namespace is annotated ${annotation.privilegedMovers}=true`;
    return { privileged: false, code: 'NotAnnotated', requested, reason };
  }
  const allowed = policy.allowedNamespaces;
  if (!allowed.includes('*') && !allowed.includes(source.namespace)) {
    const reason = `the settings of the controller do not allow privileged movers for namespace ${source.namespace}`;
    return { privileged: false, code: 'ForbiddenBySettings', requested, reason };
  }
  const missing = [
    ...(policy.annotatedAt !== 'Destination' && !ends.source ? [`source namespace ${source.namespace}`] : []),
    ...(policy.annotatedAt !== 'Source' && !ends.destination
      ? [`destination namespace ${destination.namespace}`]
      : []),
  ];
  if (missing.length > 0) {
    const reason = `${annotation.privilegedMovers}=true is missing on the ${missing.join(' and the ')}`;
    return { privileged: false, code: 'AnnotationMissing', requested, reason };
  }
  const reason = `${annotatedText[policy.annotatedAt]} annotated ${annotation.privilegedMovers}=true`;
  return { privileged: true, code: 'Annotated', requested, reason };
}

const annotatedText: Readonly<Record<PrivilegePolicy['annotatedAt'], string>> = {
  Both: 'both namespaces are',
  Source: 'the source namespace is',
  Destination: 'the destination namespace is',
};

/** The product's own annotation has the last word, so that `false` there takes back what the alias gives. */
function asks(annotations: Annotations): boolean {
  const value = annotations[annotation.privilegedMovers] ?? annotations[annotation.privilegedMoversAlias];
  return value?.toLowerCase() === 'true';
}
