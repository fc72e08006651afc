import { MAX_ID } from '@dr-syncer/api';
import { annotationOrigin, type Choice, type Wishes } from './ids.js';
import { MOVER_CONTEXT } from './mover-context.js';
import { moverConstraints, rangesText, type NamespaceLimits } from './namespace-limits.js';
import { shown, type Refusal } from './refusal.js';
import { sccAnnotation } from './scc/annotations.js';
import { assign, effectiveContext } from './scc/assign.js';
import type { FieldError } from './scc/field-error.js';
import { createProvider } from './scc/provider.js';
import type { PodSecurityContext } from './scc/types.js';
import type { Note } from './workload.js';

type Admitted =
  | { ok: true; value: { uid: Choice<number>; fsGroup: Choice<number> | undefined } }
  | { ok: false; refusals: Refusal[] };

/**
 * Puts the mover before the rules of its namespace as admission would a pod: what is not set gets its default, what
 * is set is checked.
 */
export function admit(
  { input, context, limits, notes }: Wishes,
  user: Choice<number> | undefined,
  fsGroup: Choice<number> | undefined,
  groups: Choice<readonly number[]>,
): Admitted {
  const { privileged } = input.privilege;
  const provider = createProvider(moverConstraints(limits, privileged, groups.value.length > 0));
  // The constraints are made here and complete.
  if (!provider.ok) throw new Error(provider.error);
  const pod: PodSecurityContext = {
    runAsUser: user?.value,
    // `false` asks for nothing.
    runAsNonRoot: context.runAsNonRoot === true ? true : undefined,
    fsGroup: fsGroup?.value,
    supplementalGroups: groups.value.length > 0 ? [...groups.value] : undefined,
    seLinuxOptions: context.seLinuxOptions,
  };
  const { security, errors } = assign(provider.value, { pod });
  if (errors.length > 0)
    return { ok: false, refusals: distinct(errors.map((error) => refusal(error, limits))) };

  const uid = effectiveContext(security).runAsUser;
  if (uid === undefined || uid === null) return { ok: false, refusals: [noUser(notes)] };
  const group = security.pod.fsGroup;
  return {
    ok: true,
    value: {
      uid: user ?? { value: uid, origin: annotationOrigin(sccAnnotation.uidRange) },
      fsGroup:
        fsGroup ??
        (group === undefined || group === null
          ? undefined
          : { value: group, origin: annotationOrigin(limits.groupAnnotation) }),
    },
  };
}

/** Says also what was found and could not be taken: pods that differ, or root. */
function noUser(notes: readonly Note[]): Refusal {
  const found = notes.filter(({ field }) => field === 'runAsUser').map(({ text }) => text);
  const why = found.length > 0 ? found.join('; ') : 'no pod that mounts the volume names a user';
  return {
    path: `${MOVER_CONTEXT}.runAsUser`,
    value: shown(undefined),
    allowed: `1-${MAX_ID}`,
    remedy: `Set runAsUser to the owner of the files, or have the namespaces annotated for privileged movers (${why}).`,
  };
}

/** Errors of the pod and of its container about the same field are one. */
function distinct(refusals: readonly Refusal[]): Refusal[] {
  return [...new Map(refusals.map((refusal) => [refusal.path, refusal])).values()];
}

function refusal({ path, value, detail }: FieldError, limits: NamespaceLimits): Refusal {
  const field = path.replace(/^(\.spec\.securityContext|\.containers\[0\])\./, '');
  return { path: `${MOVER_CONTEXT}.${field}`, value, ...advice(field, detail, limits) };
}

function advice(field: string, detail: string, limits: NamespaceLimits): Pick<Refusal, 'allowed' | 'remedy'> {
  const or = 'or have the namespaces annotated for privileged movers';
  switch (field) {
    case 'runAsUser':
      return limits.users
        ? { allowed: rangesText([limits.users]), remedy: `Leave it out to get ${limits.users.min}, ${or}.` }
        : { allowed: `1-${MAX_ID}`, remedy: `Set the user that owns the files, ${or}.` };
    case 'fsGroup':
      return { allowed: rangesText(limits.fsGroups ?? []), remedy: `Leave it out to get just that, ${or}.` };
    case 'supplementalGroups':
      return {
        allowed: rangesText(limits.groups ?? []),
        remedy: `Name groups of the namespace only, ${or}.`,
      };
    default:
      return { allowed: detail, remedy: 'Leave seLinuxOptions out to get what the namespace has.' };
  }
}
