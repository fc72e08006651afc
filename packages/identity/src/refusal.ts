/** Why there is no identity, one entry for each thing that has to change. */
export interface Refusal {
  /** Field or annotation, for example `spec.moverSecurityContext.runAsUser`. */
  readonly path: string;
  /** As it was given; `not set` when the lack of it is the matter. */
  readonly value: string;
  /** What would have been taken. */
  readonly allowed: string;
  /** What to do about it. */
  readonly remedy: string;
}

const MAX_VALUE = 200;

/** A value of any shape as bounded text. */
export function shown(value: unknown): string {
  const text = value === undefined ? 'not set' : JSON.stringify(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}...` : text;
}

export function refusalText({ path, value, allowed, remedy }: Refusal): string {
  return `${path}: ${value}; allowed: ${allowed}. ${remedy}`;
}
