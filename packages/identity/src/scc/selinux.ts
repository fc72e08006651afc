import { invalidValue, requiredValue, type FieldError } from './field-error.js';
import { failure, success, type Outcome } from './outcome.js';
import type { SeLinuxContextOptions, SeLinuxOptions } from './types.js';

export interface SeLinuxStrategy {
  generate(): SeLinuxOptions | undefined;
  validate(path: string, options: SeLinuxOptions | null | undefined): FieldError[];
}

export function seLinuxStrategy(options: SeLinuxContextOptions): Outcome<SeLinuxStrategy> {
  switch (options.type) {
    case 'MustRunAs':
      return mustRunAs(options.seLinuxOptions);
    case 'RunAsAny':
      return success({ generate: () => undefined, validate: () => [] });
    default:
      return failure(`Unrecognized SELinuxContext strategy type ${options.type}`);
  }
}

function mustRunAs(wanted: SeLinuxOptions | null | undefined): Outcome<SeLinuxStrategy> {
  if (wanted === undefined || wanted === null) return failure('MustRunAs requires SELinuxOptions');
  return success({
    generate: () => ({ ...wanted }),
    validate: (path, actual) => {
      const at = `${path}.seLinuxOptions`;
      if (actual === undefined || actual === null) return [requiredValue(at)];
      const errors: FieldError[] = [];
      if (!sameSpelling(wanted.level ?? '', actual.level ?? '')) {
        errors.push(invalidValue(`${at}.level`, actual.level ?? '', `must be ${wanted.level ?? ''}`));
      }
      for (const part of ['role', 'type', 'user'] as const) {
        const want = wanted[part] ?? '';
        const have = actual[part] ?? '';
        if (have !== want) errors.push(invalidValue(`${at}.${part}`, have, `must be ${want}`));
      }
      return errors;
    },
  });
}

/**
 * OpenShift's comparison: the order of the categories is free, all else is text, so that `c0.c2` is not `c0,c1,c2`.
 * (What levels mean is compared by `sameLevel`.)
 */
function sameSpelling(a: string, b: string): boolean {
  if (a === b) return true;
  const [left, right] = [split(a), split(b)];
  if (left === null || right === null) return false;
  return left.sensitivity === right.sensitivity && left.categories === right.categories;
}

function split(level: string): { sensitivity: string; categories: string } | null {
  const colon = level.indexOf(':');
  if (colon < 0) return null;
  const categories = level.slice(colon + 1).split(',');
  return { sensitivity: level.slice(0, colon), categories: categories.sort().join(',') };
}
