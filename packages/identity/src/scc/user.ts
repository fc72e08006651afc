import { invalidValue, requiredValue, type FieldError } from './field-error.js';
import { failure, success, type Outcome } from './outcome.js';
import type { ContainerSecurityContext, RunAsUserOptions } from './types.js';

type UserFields = Pick<ContainerSecurityContext, 'runAsUser' | 'runAsNonRoot'>;

export interface UserStrategy {
  /** For a process that names no user; undefined: the image decides. */
  generate(): number | undefined;
  validate(path: string, context: UserFields): FieldError[];
}

export function userStrategy(options: RunAsUserOptions): Outcome<UserStrategy> {
  switch (options.type) {
    case 'MustRunAs':
      return mustRunAs(options);
    case 'MustRunAsRange':
      return mustRunAsRange(options);
    case 'MustRunAsNonRoot':
      return success({ generate: () => undefined, validate: validateNonRoot });
    case 'RunAsAny':
      return success({ generate: () => undefined, validate: () => [] });
    default:
      return failure(`Unrecognized RunAsUser strategy type ${options.type}`);
  }
}

function mustRunAs(options: RunAsUserOptions): Outcome<UserStrategy> {
  const uid = options.uid;
  if (uid === undefined || uid === null) return failure('MustRunAs requires a UID');
  return success({
    generate: () => uid,
    validate: (path, { runAsUser }) => {
      if (runAsUser === undefined || runAsUser === null) return [requiredValue(`${path}.runAsUser`)];
      return runAsUser === uid ? [] : [invalidValue(`${path}.runAsUser`, runAsUser, `must be: ${uid}`)];
    },
  });
}

function mustRunAsRange({ uidRangeMin: min, uidRangeMax: max }: RunAsUserOptions): Outcome<UserStrategy> {
  if (min === undefined || min === null) return failure('MustRunAsRange requires a UIDRangeMin');
  if (max === undefined || max === null) return failure('MustRunAsRange requires a UIDRangeMax');
  return success({
    generate: () => min,
    validate: (path, { runAsUser }) => {
      if (runAsUser === undefined || runAsUser === null) return [requiredValue(`${path}.runAsUser`)];
      if (runAsUser >= min && runAsUser <= max) return [];
      return [invalidValue(`${path}.runAsUser`, runAsUser, `must be in the ranges: [${min}, ${max}]`)];
    },
  });
}

function validateNonRoot(path: string, { runAsUser, runAsNonRoot }: UserFields): FieldError[] {
  const noUser = runAsUser === undefined || runAsUser === null;
  if (noUser && (runAsNonRoot === undefined || runAsNonRoot === null)) {
    return [requiredValue(`${path}.runAsNonRoot`, 'must be true')];
  }
  if (runAsNonRoot === false) return [invalidValue(`${path}.runAsNonRoot`, false, 'must be true')];
  if (runAsUser === 0)
    return [invalidValue(`${path}.runAsUser`, 0, 'running with the root UID is forbidden')];
  return [];
}
