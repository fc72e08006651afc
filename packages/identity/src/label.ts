import { MOVER_CONTEXT, type MoverContext } from './mover-context.js';
import { canonicalLevel } from './mcs.js';
import type { NamespaceLimits } from './namespace-limits.js';
import { annotationOrigin, workloadOrigin, type Choice } from './ids.js';
import { sccAnnotation } from './scc/annotations.js';
import type { WorkloadValues } from './workload.js';

/**
 * What files of containers carry: `file` in the contexts that container-selinux ships. User and level come from the
 * pod, role and type never do (opencontainers/selinux `InitLabels`).
 */
const fileContext = { user: 'system_u', role: 'object_r', type: 'container_file_t' } as const;

/** The label of files at the destination; undefined when nothing names a level, and labels are left alone. */
export function chooseLabel(
  context: MoverContext,
  limits: NamespaceLimits,
  workload: WorkloadValues,
): Choice<string> | undefined {
  const level = chooseLevel(context, limits, workload);
  if (!level) return undefined;
  const user = context.seLinuxOptions?.user ?? fileContext.user;
  return { value: `${user}:${fileContext.role}:${fileContext.type}:${level.value}`, origin: level.origin };
}

function chooseLevel(
  context: MoverContext,
  limits: NamespaceLimits,
  workload: WorkloadValues,
): Choice<string> | undefined {
  const asked = context.seLinuxOptions?.level;
  if (asked !== undefined) return { value: asked, origin: `${MOVER_CONTEXT}.seLinuxOptions.level` };
  if (limits.level !== undefined) return { value: limits.level, origin: annotationOrigin(sccAnnotation.mcs) };
  const found = workload.seLinuxLevel;
  const level = found && canonicalLevel(found.value);
  return found && typeof level === 'string' ? { value: level, origin: workloadOrigin(found) } : undefined;
}
