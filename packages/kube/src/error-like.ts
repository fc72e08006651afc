export interface ErrorLike {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly errors?: unknown;
}

/**
 * Whether a thrown value is an error by its shape. `instanceof` is no good at this edge: errors of Node's core and
 * DOMExceptions may belong to another realm (vm contexts, of which jest makes one a file).
 */
export function isErrorLike(value: unknown): value is ErrorLike {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'name' in value &&
    typeof value.name === 'string' &&
    'message' in value &&
    typeof value.message === 'string'
  );
}
