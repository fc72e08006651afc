import { z } from 'zod';

/**
 * JSON Schema as a CRD takes it: "structural" (no $ref, no additionalProperties beside properties), integers with a
 * format instead of zod's safe-integer bounds.
 * Source: Kubernetes documentation, "Specifying a structural schema".
 */
export type StructuralSchema = Record<string, unknown>;

const dropped = new Set(['$schema', 'propertyNames', '$defs', 'id']);

export function structural(schema: z.ZodType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'throw', reused: 'inline' }));
}

function convert(node: unknown): StructuralSchema {
  const input = node as Record<string, unknown>;
  const out: StructuralSchema = {};
  for (const [key, value] of Object.entries(input)) {
    if (value === undefined || dropped.has(key)) continue;
    if (key === 'properties') out[key] = mapValues(value as Record<string, unknown>);
    else if (key === 'items') out[key] = convert(value);
    else if (key === 'additionalProperties') {
      if (isSchema(value)) out[key] = convert(value);
    } else out[key] = value;
  }
  if (out['type'] === 'integer') boundInteger(out);
  if (out['x-kubernetes-preserve-unknown-fields'] === true) delete out['additionalProperties'];
  return out;
}

function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function mapValues(properties: Record<string, unknown>): Record<string, StructuralSchema> {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, convert(value)]));
}

/** zod writes ±(2^53-1) for "no bound". */
function boundInteger(schema: StructuralSchema): void {
  schema['format'] = 'int64';
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
  if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
}
