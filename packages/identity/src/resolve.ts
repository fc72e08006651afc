import { MAX_ID, type Identity } from '@dr-syncer/api';
import { admit } from './admit.js';
import { chooseFsGroup, chooseGroup, chooseGroups, chooseUser, type Choice, type Wishes } from './ids.js';
import { filesAtDestination } from './file-fields.js';
import { MAX_GROUPS, MOVER_CONTEXT, parseMoverContext } from './mover-context.js';
import { namespaceLimits, rangesText } from './namespace-limits.js';
import { shown, type Refusal } from './refusal.js';
import type { Resolution, ResolveInput } from './resolution.js';
import { inRanges } from './scc/groups.js';
import { workloadValues } from './workload.js';

/**
 * The identity that a transfer of one volume runs with at one end, or everything that speaks against there being
 * one. Pure: the same input gives the same answer.
 *
 * A value is what `moverSecurityContext` says; else what the pods that mount the volume agree on, where the
 * namespace allows it; else the default of the namespace (OpenShift's annotations). Never root without privilege.
 */
export function resolveIdentity(input: ResolveInput): Resolution {
  const { context, refusals } = parseMoverContext(input.moverSecurityContext);
  const namespace = namespaceLimits(input.annotations, input.namespace);
  refusals.push(...namespace.refusals);
  if (refusals.length > 0) return { ok: false, refusals };

  const { values: workload, notes } = workloadValues(input.workloads);
  const wishes: Wishes = { input, context, workload, limits: namespace.limits, notes };
  const groups = chooseGroups(wishes);
  const admitted = admit(wishes, chooseUser(wishes), chooseFsGroup(wishes), groups);
  if (!admitted.ok) return admitted;

  const { uid, fsGroup } = admitted.value;
  const gid = chooseGroup(wishes, uid.value, fsGroup, groups);
  const all = [...new Set([gid.value, ...(fsGroup ? [fsGroup.value] : []), ...groups.value])].sort(
    (a, b) => a - b,
  );
  const unfit = [...refusedGroup(wishes, gid), ...refusedRoot(wishes, uid, fsGroup, groups), ...tooMany(all)];
  if (unfit.length > 0) return { ok: false, refusals: unfit };
  return describe(input, wishes, { uid, gid, fsGroup, groups: { value: all, origin: groups.origin } });
}

interface Ids {
  readonly uid: Choice<number>;
  readonly gid: Choice<number>;
  readonly fsGroup: Choice<number> | undefined;
  readonly groups: Choice<number[]>;
}

function describe(input: ResolveInput, wishes: Wishes, ids: Ids): Resolution {
  const { privileged, requested, reason } = input.privilege;
  const files =
    input.side === 'destination' ? filesAtDestination(wishes, ids.fsGroup) : { identity: {}, origins: {} };
  const notes = wishes.notes.map(({ text }) => text);
  if (requested && !privileged) notes.push(`unprivileged: ${reason}`);
  for (const [what, asked] of [
    ['device nodes', input.devices],
    ['file capabilities', input.fileCapabilities],
  ] as const) {
    if (asked && !privileged) notes.push(`${what} are not copied: that takes privileged movers`);
  }
  return {
    ok: true,
    identity: {
      uid: ids.uid.value,
      gid: ids.gid.value,
      groups: ids.groups.value,
      capabilities: privileged ? capabilities(input) : [],
      umask: privileged ? '0077' : '0000',
      privileged,
      ...files.identity,
    },
    origins: {
      uid: ids.uid.origin,
      gid: ids.gid.origin,
      groups: `gid, fsGroup and supplemental groups (${ids.groups.origin})`,
      capabilities: privileged ? reason : 'none without privileged movers',
      // Privileged: each mode is set from the source, so nothing may stand open until it is. Unprivileged: new files
      // can have their mode from the mask alone, and kubelet's, which is what their pods will see, takes nothing away.
      umask: privileged ? 'modes are set by the copy' : 'modes are those of the source',
      privileged: reason,
      ...files.origins,
    },
    notes,
  };
}

/** The capabilities measured to be needed, and no others: a reader only reads. */
function capabilities({ side, devices, fileCapabilities }: ResolveInput): Identity['capabilities'] {
  if (side === 'source') return ['DAC_READ_SEARCH'];
  return [
    'CHOWN',
    'DAC_OVERRIDE',
    'FOWNER',
    'FSETID',
    ...(devices ? (['MKNOD'] as const) : []),
    ...(fileCapabilities ? (['SETFCAP'] as const) : []),
  ];
}

/** OpenShift has no rule for `runAsGroup`; without one the rule for supplemental groups could be walked around. */
function refusedGroup({ input, limits, context }: Wishes, gid: Choice<number>): Refusal[] {
  if (input.privilege.privileged || context.runAsGroup === undefined || limits.groups === undefined)
    return [];
  if (inRanges(gid.value, limits.groups)) return [];
  const remedy = `Leave it out, or take a group of the namespace's annotation ${limits.groupAnnotation}.`;
  return [{ path: gid.origin, value: shown(gid.value), allowed: rangesText(limits.groups), remedy }];
}

function refusedRoot(
  { input, context }: Wishes,
  uid: Choice<number>,
  fsGroup: Choice<number> | undefined,
  groups: Choice<readonly number[]>,
): Refusal[] {
  const { privileged } = input.privilege;
  if (privileged) {
    if (uid.value !== 0 || context.runAsNonRoot !== true) return [];
    const remedy =
      'Remove it, set runAsUser to another user than 0, or have the annotation for privileged movers removed.';
    return [
      {
        path: `${MOVER_CONTEXT}.runAsNonRoot`,
        value: 'true',
        allowed: 'not true: the privileged mover runs as root',
        remedy,
      },
    ];
  }
  const remedy = 'Name another id, or have the namespaces annotated for privileged movers.';
  const zero = { value: '0', allowed: `1-${MAX_ID}`, remedy };
  const refusals: Refusal[] = [];
  if (uid.value === 0) refusals.push({ path: uid.origin, ...zero });
  if (context.runAsGroup === 0) refusals.push({ path: `${MOVER_CONTEXT}.runAsGroup`, ...zero });
  if (fsGroup?.value === 0) refusals.push({ path: fsGroup.origin, ...zero });
  if (groups.value.includes(0)) refusals.push({ path: groups.origin, ...zero });
  return refusals;
}

function tooMany(groups: readonly number[]): Refusal[] {
  if (groups.length <= MAX_GROUPS) return [];
  const path = `${MOVER_CONTEXT}.supplementalGroups`;
  return [
    { path, value: `${groups.length} groups`, allowed: `at most ${MAX_GROUPS}`, remedy: 'Name fewer.' },
  ];
}
