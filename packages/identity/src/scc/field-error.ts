/** What a strategy has against a value, in the shape of Kubernetes' `field.Error`. */
export interface FieldError {
  readonly path: string;
  readonly type: 'Required' | 'Invalid';
  /** As Go's `%#v` would write it; empty for `Required`. */
  readonly value: string;
  readonly detail: string;
}

export function requiredValue(path: string, detail = ''): FieldError {
  return { path, type: 'Required', value: '', detail };
}

/** How Kubernetes shows a value that is not there. */
export const NOTHING = 'null';

export function invalidValue(path: string, value: string | number | boolean, detail: string): FieldError {
  return {
    path,
    type: 'Invalid',
    value: typeof value === 'string' ? JSON.stringify(value) : String(value),
    detail,
  };
}

/** A list of ids, with Go's difference between no list and an empty one. */
export function invalidGroups(path: string, groups: readonly number[] | null, detail: string): FieldError {
  const value = groups === null ? '[]int64(nil)' : `[]int64{${groups.join(', ')}}`;
  return { path, type: 'Invalid', value, detail };
}

/** The text that an API server shows. */
export function fieldErrorText({ path, type, value, detail }: FieldError): string {
  if (type === 'Required') return `${path}: Required value${detail === '' ? '' : `: ${detail}`}`;
  return `${path}: Invalid value: ${value}: ${detail}`;
}
