import { isRecord } from './status-response.js';
import type { Resource } from './types.js';

/** A type that a server serves, in one version. */
export interface ApiResource extends Resource {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly verbs: readonly string[];
  /** For example `status`, `scale`. */
  readonly subresources: readonly string[];
}

export interface DiscoveredVersion {
  readonly group: string;
  readonly version: string;
  /** The server could not reach the API server behind this group; `resources` is empty or old. */
  readonly stale: boolean;
  readonly resources: readonly ApiResource[];
}

/**
 * The versions of an `APIGroupDiscoveryList` (apidiscovery.k8s.io v2, KEP-3352), in the server's order: groups by
 * priority, versions by preference. `undefined` when it is something else.
 */
export function parseAggregated(body: unknown): DiscoveredVersion[] | undefined {
  if (!isRecord(body) || body['kind'] !== 'APIGroupDiscoveryList') return undefined;
  return records(body['items']).flatMap((item) => {
    const group = isRecord(item['metadata']) ? text(item['metadata']['name']) : '';
    return records(item['versions']).map((entry) => {
      const version = text(entry['version']);
      const resources = records(entry['resources']).map((one) => aggregatedResource(group, version, one));
      return { group, version, stale: entry['freshness'] === 'Stale', resources };
    });
  });
}

function aggregatedResource(group: string, version: string, entry: Record<string, unknown>): ApiResource {
  const responseKind = isRecord(entry['responseKind']) ? entry['responseKind'] : {};
  return {
    group,
    version,
    plural: text(entry['resource']),
    kind: text(responseKind['kind']),
    namespaced: entry['scope'] === 'Namespaced',
    singular: text(entry['singularResource']),
    shortNames: texts(entry['shortNames']),
    verbs: texts(entry['verbs']),
    subresources: records(entry['subresources']).map((one) => text(one['subresource'])),
  };
}

/** The types of an `APIResourceList` (`/api/v1`, `/apis/GROUP/VERSION`); subresources are folded into their parent. */
export function parseResourceList(group: string, version: string, body: unknown): ApiResource[] {
  const entries = isRecord(body) ? records(body['resources']) : [];
  const subresources = new Map<string, string[]>();
  for (const entry of entries) {
    const [parent, sub] = text(entry['name']).split('/');
    if (parent === undefined || sub === undefined) continue;
    subresources.set(parent, [...(subresources.get(parent) ?? []), sub]);
  }
  return entries
    .filter((entry) => !text(entry['name']).includes('/'))
    .map((entry) => ({
      group,
      version,
      plural: text(entry['name']),
      kind: text(entry['kind']),
      namespaced: entry['namespaced'] === true,
      singular: text(entry['singularName']),
      shortNames: texts(entry['shortNames']),
      verbs: texts(entry['verbs']),
      subresources: subresources.get(text(entry['name'])) ?? [],
    }));
}

/** `group` and `version` of each version in an `APIGroupList`, the preferred one first. */
export function parseGroupList(body: unknown): { group: string; version: string }[] {
  return records(isRecord(body) ? body['groups'] : undefined).flatMap((entry) => {
    const group = text(entry['name']);
    const preferred = isRecord(entry['preferredVersion']) ? text(entry['preferredVersion']['version']) : '';
    const versions = records(entry['versions']).map((one) => text(one['version']));
    return [
      ...versions.filter((one) => one === preferred),
      ...versions.filter((one) => one !== preferred),
    ].map((version) => ({ group, version }));
  });
}

function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
