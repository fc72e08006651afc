import { invalidGroups, type FieldError } from './field-error.js';
import { failure, success, type Outcome } from './outcome.js';
import type { GroupOptions, IdRange } from './types.js';

export interface GroupStrategy {
  /** For a pod that names no group; undefined: none. */
  generate(): number | undefined;
  /** `groups` null: the pod has no such list. */
  validate(path: string, groups: readonly number[] | null): FieldError[];
}

/** @param name of the field, for the message about an unknown type: `FSGroup` or `SupplementalGroups`. */
export function groupStrategy(options: GroupOptions, name: string): Outcome<GroupStrategy> {
  switch (options.type) {
    case 'MustRunAs':
      return mustRunAs(options.ranges ?? []);
    case 'RunAsAny':
      return success({ generate: () => undefined, validate: () => [] });
    default:
      return failure(`Unrecognized ${name} strategy type ${options.type}`);
  }
}

export function inRanges(id: number, ranges: readonly IdRange[]): boolean {
  return ranges.some(({ min, max }) => id >= min && id <= max);
}

function mustRunAs(ranges: readonly IdRange[]): Outcome<GroupStrategy> {
  const first = ranges[0];
  if (first === undefined) return failure('ranges must be supplied for MustRunAs');
  return success({
    generate: () => first.min,
    validate: (path, groups) => {
      if (groups === null || groups.length === 0) {
        return [invalidGroups(path, groups, 'unable to validate empty groups against required ranges')];
      }
      return groups
        .filter((group) => !inRanges(group, ranges))
        .map((group) => invalidGroups(path, groups, `${group} is not an allowed group`));
    },
  });
}
