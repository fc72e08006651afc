import { API_GROUP, API_VERSION, customResourceDefinition, kindDefinitions } from '@dr-syncer/api';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';

import type { Check } from '../context.js';
import { type Finding, problem, well } from '../problems.js';

const CHECK = 'definitions';
const NAMED = 5;

interface Definition extends KubeObject {
  readonly spec?: {
    readonly versions?: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly schema?: { readonly openAPIV3Schema?: unknown };
    }[];
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** The CustomResourceDefinitions are there and are those of this program. */
export const definitions: Check = async ({ client, signal }) =>
  Promise.all(
    kindDefinitions.map(async (definition) => {
      const name = `${definition.plural}.${API_GROUP}`;
      const ref = { resource: wellKnown.customResourceDefinitions, name };
      const present = await client.find<Definition>(ref, { signal });
      return judgeDefinition(name, present, customResourceDefinition(definition));
    }),
  );

/** Pure. @param wanted the definition that this program brings */
export function judgeDefinition(
  name: string,
  present: Definition | undefined,
  wanted: Record<string, unknown>,
): Finding {
  const at = { check: CHECK, subject: name };
  if (present === undefined)
    return problem('DefinitionMissing', at, `there is no CustomResourceDefinition ${name}`);
  const version = versionOf(present);
  const established = present.status?.conditions?.some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );
  if (version?.served !== true) {
    return problem('DefinitionOutdated', at, `${name} does not serve ${API_VERSION}`);
  }
  if (established !== true) return problem('DefinitionNotReady', at, `${name} is not established`);
  const ours = fields(versionOf(wanted as unknown as Definition)?.schema?.openAPIV3Schema);
  const theirs = fields(version.schema?.openAPIV3Schema);
  const missing = [...ours].filter((field) => !theirs.has(field));
  if (missing.length > 0) return problem('DefinitionOutdated', at, `${name} lacks ${listed(missing)}`);
  const more = [...theirs].filter((field) => !ours.has(field));
  if (more.length > 0) return problem('DefinitionNewer', at, `${name} has also ${listed(more)}`);
  return well(CHECK, name, `served and up to date, ${ours.size} fields`);
}

function versionOf({ spec }: Definition) {
  return spec?.versions?.find((one) => one.name === API_VERSION);
}

/** Paths of all properties, `spec.sync.mode`. */
function fields(schema: unknown, path = ''): Set<string> {
  const found = new Set<string>();
  const { properties, items, additionalProperties } = (schema ?? {}) as Record<string, unknown>;
  for (const [name, child] of Object.entries((properties ?? {}) as Record<string, unknown>)) {
    const at = path === '' ? name : `${path}.${name}`;
    found.add(at);
    for (const below of fields(child, at)) found.add(below);
  }
  for (const child of [items, additionalProperties]) {
    if (typeof child === 'object') for (const below of fields(child, `${path}[]`)) found.add(below);
  }
  return found;
}

function listed(names: readonly string[]): string {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).join(', ')}${more}`;
}
