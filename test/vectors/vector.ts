import type {
  Annotations,
  Constraints,
  ContainerSecurityContext,
  PodSecurityContext,
} from '@dr-syncer/identity';

/** One case of a vector file: an operation of OpenShift's SCC code, its input, and what the real code answered. */
export interface Vector {
  readonly id: string;
  readonly op: string;
  readonly in?: string;
  readonly annotations?: Annotations;
  readonly namespace?: string;
  readonly scc?: Constraints;
  readonly podSecurityContext?: PodSecurityContext | null;
  readonly containerSecurityContext?: ContainerSecurityContext | null;
  readonly expected: Readonly<Record<string, unknown>>;
}

/** @throws Error when the text is not a file of vectors. */
export function parseVectors(text: string): Vector[] {
  const file: unknown = JSON.parse(text);
  const vectors: unknown =
    typeof file === 'object' && file !== null && 'vectors' in file ? file.vectors : file;
  if (!Array.isArray(vectors)) throw new Error('the file holds no list of vectors');
  return vectors.map((value: unknown, index) => {
    if (isVector(value)) return value;
    throw new Error(`vector ${index} has no id, op or expected`);
  });
}

function isVector(value: unknown): value is Vector {
  if (typeof value !== 'object' || value === null) return false;
  const { id, op, expected } = value as Partial<Record<keyof Vector, unknown>>;
  return (
    typeof id === 'string' && typeof op === 'string' && typeof expected === 'object' && expected !== null
  );
}
