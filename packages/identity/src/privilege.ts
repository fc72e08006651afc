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

export interface PrivilegeDecision {
  readonly privileged: boolean;
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
  if (!requested)
    return {
      privileged: false,
      requested,
      reason: `no namespace is annotated ${annotation.privilegedMovers}`,
    };

  const allowed = policy.allowedNamespaces;
  if (!allowed.includes('*') && !allowed.includes(source.namespace)) {
    return {
      privileged: false,
      requested,
      reason: 'privileged movers are not allowed by the settings of the controller',
    };
  }
  const missing = [
    ...(policy.annotatedAt !== 'Destination' && !ends.source ? [`source namespace ${source.namespace}`] : []),
    ...(policy.annotatedAt !== 'Source' && !ends.destination
      ? [`destination namespace ${destination.namespace}`]
      : []),
  ];
  if (missing.length > 0) {
    const reason = `${annotation.privilegedMovers}=true is missing on the ${missing.join(' and the ')}`;
    return { privileged: false, requested, reason };
  }
  return { privileged: true, requested, reason: `annotated ${annotation.privilegedMovers}=true` };
}

/** The product's own annotation has the last word, so that `false` there takes back what the alias gives. */
function asks(annotations: Annotations): boolean {
  const value = annotations[annotation.privilegedMovers] ?? annotations[annotation.privilegedMoversAlias];
  return value?.toLowerCase() === 'true';
}
