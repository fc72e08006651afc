import { invalidValue, NOTHING, type FieldError } from './field-error.js';
import type { Constraints, ContainerSecurityContext } from './types.js';

/** What admission sets of a container that leaves it open, besides its user and capabilities. */
export function generatePrivileges(
  constraints: Constraints,
  effective: ContainerSecurityContext,
): ContainerSecurityContext {
  const set: ContainerSecurityContext = {};
  const { readOnlyRootFilesystem, allowPrivilegeEscalation, privileged, capabilities } = effective;
  if (constraints.readOnlyRootFilesystem === true && unset(readOnlyRootFilesystem)) {
    set.readOnlyRootFilesystem = true;
  }
  if (unset(allowPrivilegeEscalation)) {
    // Kubernetes refuses "false" beside either of these.
    const needsIt = privileged === true || (capabilities?.add ?? []).includes('CAP_SYS_ADMIN');
    const preset = needsIt ? undefined : constraints.defaultAllowPrivilegeEscalation;
    const escalation = preset ?? (constraints.allowPrivilegeEscalation === false ? false : undefined);
    if (escalation !== undefined) set.allowPrivilegeEscalation = escalation;
  }
  return set;
}

export function validatePrivileged(
  { allowPrivilegedContainer }: Constraints,
  path: string,
  { privileged }: ContainerSecurityContext,
): FieldError[] {
  if (allowPrivilegedContainer === true || privileged !== true) return [];
  return [invalidValue(`${path}.privileged`, true, 'Privileged containers are not allowed')];
}

export function validateEscalation(
  constraints: Constraints,
  path: string,
  effective: ContainerSecurityContext,
): FieldError[] {
  const errors: FieldError[] = [];
  const { readOnlyRootFilesystem: readOnly, allowPrivilegeEscalation: escalation } = effective;
  if (constraints.readOnlyRootFilesystem === true && readOnly !== true) {
    const may = unset(readOnly) ? 'may not be nil and must' : 'must';
    const detail = `ReadOnlyRootFilesystem ${may} be set to true`;
    errors.push(invalidValue(`${path}.readOnlyRootFilesystem`, readOnly ?? NOTHING, detail));
  }
  if (constraints.allowPrivilegeEscalation === false && escalation !== false) {
    const detail = 'Allowing privilege escalation for containers is not allowed';
    errors.push(invalidValue(`${path}.allowPrivilegeEscalation`, escalation ?? NOTHING, detail));
  }
  return errors;
}

function unset(value: unknown): boolean {
  return value === undefined || value === null;
}
