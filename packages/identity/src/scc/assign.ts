import { generateCapabilities, validateCapabilities } from './capabilities.js';
import type { FieldError } from './field-error.js';
import { generatePrivileges, validateEscalation, validatePrivileged } from './privileges.js';
import type { Provider } from './provider.js';
import type { ContainerSecurityContext, PodSecurityContext } from './types.js';

/** A pod with one process in it. */
export interface PodSecurity {
  readonly pod: PodSecurityContext;
  readonly container?: ContainerSecurityContext | null | undefined;
}

/** The container's own values where it has them, the pod's elsewhere. */
export function effectiveContext({ pod, container }: PodSecurity): ContainerSecurityContext {
  return {
    ...container,
    runAsUser: container?.runAsUser ?? pod.runAsUser,
    runAsGroup: container?.runAsGroup ?? pod.runAsGroup,
    runAsNonRoot: container?.runAsNonRoot ?? pod.runAsNonRoot,
    seLinuxOptions: container?.seLinuxOptions ?? pod.seLinuxOptions,
  };
}

export function validatePod(provider: Provider, path: string, pod: PodSecurityContext): FieldError[] {
  const { fsGroup, supplementalGroups } = pod;
  return [
    ...provider.seLinux.validate(path, pod.seLinuxOptions),
    ...provider.fsGroup.validate(
      `${path}.fsGroup`,
      fsGroup === undefined || fsGroup === null ? [] : [fsGroup],
    ),
    ...provider.supplementalGroups.validate(`${path}.supplementalGroups`, supplementalGroups ?? null),
  ];
}

export function validateContainer(provider: Provider, path: string, security: PodSecurity): FieldError[] {
  const effective = effectiveContext(security);
  const { constraints } = provider;
  return [
    ...provider.user.validate(path, effective),
    ...provider.seLinux.validate(path, effective.seLinuxOptions),
    ...validatePrivileged(constraints, path, effective),
    ...validateCapabilities(constraints, path, effective.capabilities),
    ...validateEscalation(constraints, path, effective),
  ];
}

/**
 * What admission does to a pod: sets what is not set (and only that), then checks all of it. An empty list of
 * supplemental groups counts as set.
 */
export function assign(
  provider: Provider,
  given: PodSecurity,
): { security: PodSecurity; errors: FieldError[] } {
  const pod = assignPod(provider, given.pod);
  const security = { pod, container: assignContainer(provider, pod, given.container) };
  const errors = [
    ...validatePod(provider, '.spec.securityContext', pod),
    ...validateContainer(provider, '.containers[0]', security),
  ];
  return { security, errors };
}

function assignPod(provider: Provider, given: PodSecurityContext): PodSecurityContext {
  const group = provider.supplementalGroups.generate();
  return {
    ...given,
    seLinuxOptions: given.seLinuxOptions ?? provider.seLinux.generate(),
    fsGroup: given.fsGroup ?? provider.fsGroup.generate(),
    supplementalGroups: given.supplementalGroups ?? (group === undefined ? undefined : [group]),
  };
}

function assignContainer(
  provider: Provider,
  pod: PodSecurityContext,
  given: PodSecurity['container'],
): PodSecurity['container'] {
  const set: ContainerSecurityContext = {};
  const effective = effectiveContext({ pod, container: given });
  if (unset(effective.runAsUser)) set.runAsUser = provider.user.generate();
  const uid = effective.runAsUser ?? set.runAsUser;
  if (unset(effective.runAsNonRoot) && impliesNonRoot(provider, uid)) set.runAsNonRoot = true;
  const capabilities = generateCapabilities(provider.constraints, effective.capabilities);
  if (capabilities !== undefined) set.capabilities = capabilities;
  Object.assign(set, generatePrivileges(provider.constraints, { ...effective, ...set }));
  const changed = Object.values(set).some((value) => !unset(value));
  return changed ? { ...given, ...set } : given;
}

function impliesNonRoot(provider: Provider, uid: number | null | undefined): boolean {
  if (uid !== undefined && uid !== null) return uid > 0;
  return provider.constraints.runAsUser.type === 'MustRunAsNonRoot';
}

function unset(value: unknown): boolean {
  return value === undefined || value === null;
}
