import {
  fsGroupRanges,
  level,
  sccAnnotation,
  supplementalGroupsRanges,
  uidRange,
  type Annotations,
} from './annotations.js';
import { groupStrategy, type GroupStrategy } from './groups.js';
import { failure, success, within, type Outcome } from './outcome.js';
import { seLinuxStrategy, type SeLinuxStrategy } from './selinux.js';
import type { Constraints } from './types.js';
import { userStrategy, type UserStrategy } from './user.js';

/** The strategies of one set of constraints, ready to be asked. */
export interface Provider {
  readonly constraints: Constraints;
  readonly user: UserStrategy;
  readonly seLinux: SeLinuxStrategy;
  readonly fsGroup: GroupStrategy;
  readonly supplementalGroups: GroupStrategy;
}

/** The strategies of constraints in which nothing is left to be filled in. */
export function createProvider(constraints: Constraints): Outcome<Provider> {
  const user = userStrategy(constraints.runAsUser);
  if (!user.ok) return user;
  const seLinux = seLinuxStrategy(constraints.seLinuxContext);
  if (!seLinux.ok) return seLinux;
  const fsGroup = groupStrategy(constraints.fsGroup, 'FSGroup');
  if (!fsGroup.ok) return fsGroup;
  const supplementalGroups = groupStrategy(constraints.supplementalGroups, 'SupplementalGroups');
  if (!supplementalGroups.ok) return supplementalGroups;
  return success({
    constraints,
    user: user.value,
    seLinux: seLinux.value,
    fsGroup: fsGroup.value,
    supplementalGroups: supplementalGroups.value,
  });
}

/**
 * The same for a namespace: what the constraints leave open comes from its annotations. OpenShift wants the
 * annotations for users and for SELinux to be there whatever the constraints say.
 */
export function providerForNamespace(
  constraints: Constraints,
  annotations: Annotations,
  namespace: string,
): Outcome<Provider> {
  for (const name of [sccAnnotation.uidRange, sccAnnotation.mcs]) {
    if (annotations[name] === undefined) {
      return failure(`error fetching namespace "${namespace}": unable to find annotation ${name}`);
    }
  }
  const filled = fillIn(constraints, annotations, namespace);
  if (!filled.ok) return filled;
  const provider = createProvider(filled.value);
  if (provider.ok) return provider;
  return within(
    `error creating provider for SCC ${constraints.metadata.name} in namespace ${namespace}`,
    provider,
  );
}

function fillIn(constraints: Constraints, annotations: Annotations, namespace: string): Outcome<Constraints> {
  const { name } = constraints.metadata;
  const missing = (what: string): string =>
    `unable to find pre-allocated ${what} annotation for namespace ${namespace} while trying to configure SCC ${name}`;
  const filled = structuredClone(constraints);

  const { runAsUser, seLinuxContext } = filled;
  // A range of which only one end is set is not completed.
  if (needsRange(runAsUser)) {
    const range = uidRange(annotations);
    if (!range.ok) return within(missing('uid'), range);
    runAsUser.uidRangeMin = range.value.min;
    runAsUser.uidRangeMax = range.value.max;
  }
  if (seLinuxContext.type === 'MustRunAs' && (seLinuxContext.seLinuxOptions?.level ?? '') === '') {
    const text = level(annotations);
    if (!text.ok) return within(missing('mcs'), text);
    seLinuxContext.seLinuxOptions = { ...seLinuxContext.seLinuxOptions, level: text.value };
  }
  for (const [options, ranges] of [
    [filled.fsGroup, fsGroupRanges],
    [filled.supplementalGroups, supplementalGroupsRanges],
  ] as const) {
    if (options.type !== 'MustRunAs' || (options.ranges ?? []).length > 0) continue;
    const found = ranges(annotations, namespace);
    if (!found.ok) return within(missing('group'), found);
    options.ranges = found.value;
  }
  return success(filled);
}

function needsRange({ type, uidRangeMin, uidRangeMax }: Constraints['runAsUser']): boolean {
  return type === 'MustRunAsRange' && unset(uidRangeMin) && unset(uidRangeMax);
}

function unset(value: unknown): boolean {
  return value === undefined || value === null;
}
