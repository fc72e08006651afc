import { groupVersionOf, type ObjectRef, type Resource, resourceName } from './types.js';
import type { Operation } from './status-response.js';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** @throws TypeError when the namespace is given for a cluster-scoped resource, or a part can't be in a path. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const prefix = resource.group === '' ? '/api' : '/apis';
  const base = `${prefix}/${groupVersionOf(resource)}`;
  if (namespace === undefined) return `${base}/${resource.plural}`;
  if (!resource.namespaced) throw new TypeError(`${resourceName(resource)} has no namespace`);
  return `${base}/namespaces/${segment(namespace)}/${resource.plural}`;
}

/** @throws TypeError for a namespaced resource without namespace, which would address another collection. */
export function objectPath(ref: ObjectRef, subresource?: string): string {
  if (ref.resource.namespaced && ref.namespace === undefined) {
    throw new TypeError(`${resourceName(ref.resource)} needs a namespace`);
  }
  const path = `${collectionPath(ref.resource, ref.namespace)}/${segment(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

export function withQuery(path: string, query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) params.set(name, String(value));
  }
  return params.size === 0 ? path : `${path}?${params.toString()}`;
}

export function collectionOperation(verb: string, resource: Resource, namespace?: string): Operation {
  return { verb, resource: resourceName(resource), target: namespace === undefined ? '' : `in ${namespace}` };
}

export function objectOperation(verb: string, ref: ObjectRef): Operation {
  const target = ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
  return { verb, resource: resourceName(ref.resource), target };
}

/** The same rule as the server's (apimachinery `validation/path`): a name never walks to another resource. */
function segment(value: string): string {
  if (value === '' || value === '.' || value === '..' || /[/%]/.test(value)) {
    throw new TypeError('a name or namespace is empty or holds "/", "%" or dots alone');
  }
  return encodeURIComponent(value);
}
