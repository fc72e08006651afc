import type { Identity } from '@dr-syncer/api';
import { explicit, workloadOrigin, type Choice, type Wishes } from './ids.js';
import { chooseLabel } from './label.js';
import { shown } from './refusal.js';

type FileFields = Pick<Identity, 'fsGroup' | 'fsGroupChangePolicy' | 'seLinuxLabel' | 'seLinuxChangePolicy'>;
type Policy = 'fsGroupChangePolicy' | 'seLinuxChangePolicy';

/**
 * Labels of a namespace by which OpenShift (4.20 and later, admission plugin PerformantSecurityPolicy) gives its pods a
 * policy when they name none.
 */
const policyLabels: Readonly<Record<Policy, { name: string; values: readonly string[] }>> = {
  fsGroupChangePolicy: {
    name: 'storage.openshift.io/fsgroup-change-policy',
    values: ['OnRootMismatch', 'Always'],
  },
  seLinuxChangePolicy: {
    name: 'storage.openshift.io/selinux-change-policy',
    values: ['MountOption', 'Recursive'],
  },
};

/** What is done to files after they have arrived. */
export function filesAtDestination(
  wishes: Wishes,
  fsGroup: Choice<number> | undefined,
): { identity: FileFields; origins: Partial<Record<keyof FileFields, string>> } {
  const chosen: [keyof FileFields, Choice<string | number> | undefined][] = [];
  if (fsGroup) {
    chosen.push(['fsGroup', fsGroup], ['fsGroupChangePolicy', choosePolicy(wishes, 'fsGroupChangePolicy')]);
  }
  const label = chooseLabel(wishes.context, wishes.limits, wishes.workload);
  if (label) {
    chosen.push(
      ['seLinuxLabel', label],
      ['seLinuxChangePolicy', choosePolicy(wishes, 'seLinuxChangePolicy')],
    );
  }
  const present = chosen.filter((entry): entry is [keyof FileFields, Choice<string | number>] => !!entry[1]);
  return {
    identity: Object.fromEntries(present.map(([field, { value }]) => [field, value])),
    origins: Object.fromEntries(present.map(([field, { origin }]) => [field, origin])),
  };
}

function choosePolicy(
  { input, context, workload, notes }: Wishes,
  field: Policy,
): Choice<string> | undefined {
  const asked = context[field];
  if (asked !== undefined) return explicit(field, asked);
  const found = workload[field];
  if (found) return { value: found.value, origin: workloadOrigin(found) };
  const { name, values } = policyLabels[field];
  const value = input.labels?.[name];
  if (value === undefined) return undefined;
  if (values.includes(value)) return { value, origin: `namespace label ${name}` };
  notes.push({
    field,
    text: `namespace label ${name} is not taken: ${shown(value)} is not ${values.join(' or ')}`,
  });
  return undefined;
}
