import {
  API_GROUP_VERSION,
  customResourceDefinition,
  type KindDefinition,
  kindDefinitions,
} from '@dr-syncer/api';

import { generatedFrom, table } from './table.js';

/** What of an OpenAPI schema is read here. */
interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}

interface Field {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** All fields below a schema, in its order: `a`, `a.b`, `list[].c`, `map.*`. */
function fieldsOf(schema: Schema, prefix = ''): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const required = schema.required?.includes(name) === true;
    return [{ path, schema: field, required }, ...below(field, path)];
  });
}

function below(schema: Schema, path: string): Field[] {
  if (schema.items !== undefined) {
    return [
      ...fieldsOf(schema.items, `${path}[].`),
      ...below({ ...schema.items, properties: {} }, `${path}[]`),
    ];
  }
  if (typeof schema.additionalProperties === 'object') {
    return fieldsOf(schema.additionalProperties, `${path}.*.`);
  }
  return fieldsOf(schema, `${path}.`);
}

function typeOf({ type, format, items, additionalProperties, properties }: Schema): string {
  if (items !== undefined) return `[]${typeOf(items)}`;
  if (typeof additionalProperties === 'object') return `map of ${typeOf(additionalProperties)}`;
  if (properties !== undefined) return 'object';
  return format === 'date-time' ? 'time' : (type ?? 'any');
}

function limits({ enum: values, minimum, maximum }: Schema): string {
  if (values !== undefined) return values.map(String).join(', ');
  if (minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER) return '';
  return maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER
    ? `≥ ${minimum}`
    : `${minimum} to ${maximum}`;
}

/** Of an object it would only repeat those of its fields. */
function defaultOf({ default: value, properties }: Schema): string {
  return value === undefined || properties !== undefined ? '' : `\`${JSON.stringify(value)}\``;
}

function rows(fields: readonly Field[]): string[][] {
  return fields.map(({ path, schema, required }) => {
    const values = limits(schema);
    const description = [schema.description, values === '' ? '' : `(${values})`].filter(Boolean).join(' ');
    return [`\`${path}\``, typeOf(schema), required ? 'required' : defaultOf(schema), description];
  });
}

function section(definition: KindDefinition): string {
  const crd = customResourceDefinition(definition) as {
    spec: { versions: [{ schema: { openAPIV3Schema: { properties: Record<'spec' | 'status', Schema> } } }] };
  };
  const { spec, status } = crd.spec.versions[0].schema.openAPIV3Schema.properties;
  const rules = definition.specRules.map(({ message }) => `- ${message}`);
  return [
    `## ${definition.kind}`,
    `${definition.description} Short name: \`${definition.shortName}\`.`,
    '### Spec',
    table(['field', 'type', 'default', ''], rows(fieldsOf(spec))),
    ...(rules.length > 0 ? [rules.join('\n')] : []),
    '### Status',
    table(
      ['field', 'type', ''],
      rows(fieldsOf(status)).map(([path = '', type = '', , text = '']) => [path, type, text]),
    ),
  ].join('\n\n');
}

/** docs/reference/api.md */
export function renderApi(): string {
  return `${generatedFrom('packages/api/src/crd')}# API

\`${API_GROUP_VERSION}\`, namespaced. \`[]\` stands for each element of a list, \`*\` for each key of a map. A field that is not here is
dropped by the API server, and \`kubectl apply\` says so.

${kindDefinitions.map(section).join('\n\n')}
`;
}
