import type { KubeClient } from './client.js';
import { untilAborted } from './deadline.js';
import { fetchVersions } from './discovery-fetch.js';
import type { ApiResource, DiscoveredVersion } from './discovery-parse.js';
import { groupVersionOf, type Resource, resourceName } from './types.js';

const DEFAULT_TTL_MS = 10 * 60_000;
/** A name that is not known is looked for anew, but not more often than this. */
const MISS_REFRESH_MS = 10_000;

export interface ResourceFilter {
  readonly namespaced?: boolean;
  /** All of these. */
  readonly verbs?: readonly string[];
}

export interface DiscoveryOptions {
  readonly ttlMs?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/**
 * What a server serves, cached. It never forgets what it knew because a part of the server does not answer: types
 * that vanish for a moment must not look like types that were removed. When a refresh that was due fails, the old
 * answer serves on; a refresh that was asked for fails openly.
 */
export class Discovery {
  readonly #client: KubeClient;
  readonly #ttlMs: number;
  readonly #now: () => number;
  #versions: readonly DiscoveredVersion[] | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #stale: readonly string[] = [];
  #refreshing: Promise<void> | undefined;

  constructor(client: KubeClient, options: DiscoveryOptions = {}) {
    this.#client = client;
    this.#ttlMs = options.ttlMs ?? DEFAULT_TTL_MS;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Asks the server now; calls at the same time share one request. @throws KubeError */
  async refresh(signal?: AbortSignal): Promise<void> {
    // Shared, so it is bounded by the client's timeout and not by the signal of whoever came first.
    this.#refreshing ??= this.#fetch().finally(() => (this.#refreshing = undefined));
    return untilAborted(this.#refreshing, signal);
  }

  /** Asks the server unless its last answer is younger than this. @throws KubeError */
  async refreshIfOlder(maxAgeMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#now() - this.#fetchedAt >= maxAgeMs) await this.refresh(signal);
  }

  /**
   * The type that a person means by a plural, singular, kind, short name, `plural.group` or `plural.version.group`, in
   * any case; the first in kubectl's order when several match. `undefined`: not served, as of at most 10 s ago.
   */
  async resolve(name: string, signal?: AbortSignal): Promise<ApiResource | undefined> {
    const [first] = await this.resolveAll(name, signal);
    return first;
  }

  /** All types that `name` may mean, best first, one version of each. */
  async resolveAll(name: string, signal?: AbortSignal): Promise<readonly ApiResource[]> {
    return this.#lookup((versions) => matching(versions, name), signal);
  }

  async byKind(apiVersion: string, kind: string, signal?: AbortSignal): Promise<ApiResource | undefined> {
    const found = await this.#lookup(
      (versions) =>
        allResources(versions).filter((one) => one.kind === kind && groupVersionOf(one) === apiVersion),
      signal,
    );
    return found[0];
  }

  /** The type in all versions that are served, the preferred one first. */
  async versionsOf(
    resource: Pick<Resource, 'group' | 'plural'>,
    signal?: AbortSignal,
  ): Promise<readonly ApiResource[]> {
    return allResources(await this.#current(signal)).filter(
      (one) => one.plural === resource.plural && one.group === resource.group,
    );
  }

  /** Every type once, in its preferred version. */
  async resources(filter: ResourceFilter = {}, signal?: AbortSignal): Promise<readonly ApiResource[]> {
    const { namespaced, verbs = [] } = filter;
    return preferred(await this.#current(signal)).filter(
      (one) =>
        (namespaced === undefined || one.namespaced === namespaced) &&
        verbs.every((verb) => one.verbs.includes(verb)),
    );
  }

  /** `group/version` of what could not be asked at the last refresh. Their types, as last known, are still listed. */
  staleGroups(): readonly string[] {
    return this.#stale;
  }

  async #lookup(
    find: (versions: readonly DiscoveredVersion[]) => ApiResource[],
    signal: AbortSignal | undefined,
  ): Promise<ApiResource[]> {
    const found = find(await this.#current(signal));
    if (found.length > 0 || this.#now() - this.#fetchedAt < MISS_REFRESH_MS) return found;
    await this.refresh(signal);
    return find(await this.#current(signal));
  }

  async #current(signal: AbortSignal | undefined): Promise<readonly DiscoveredVersion[]> {
    if (this.#versions !== undefined && this.#now() - this.#fetchedAt < this.#ttlMs) return this.#versions;
    try {
      await this.refresh(signal);
    } catch (err) {
      if (this.#versions === undefined) throw err;
    }
    return this.#versions ?? [];
  }

  async #fetch(): Promise<void> {
    const fetched = await fetchVersions(this.#client);
    const known = new Map((this.#versions ?? []).map((one) => [groupVersionOf(one), one]));
    this.#stale = fetched.filter((one) => one.stale).map(groupVersionOf);
    this.#versions = fetched.map((one) => {
      const before = one.stale && one.resources.length === 0 ? known.get(groupVersionOf(one)) : undefined;
      return before === undefined ? one : { ...before, stale: true };
    });
    this.#fetchedAt = this.#now();
  }
}

function allResources(versions: readonly DiscoveredVersion[]): ApiResource[] {
  return versions.flatMap((version) => version.resources);
}

/** Versions stand in order of preference, so the first one that has a type is the preferred one of that type. */
function preferred(versions: readonly DiscoveredVersion[]): ApiResource[] {
  return firstOfEach(allResources(versions));
}

function firstOfEach(resources: readonly ApiResource[]): ApiResource[] {
  const first = new Map<string, ApiResource>();
  for (const resource of resources) {
    const name = resourceName(resource);
    if (!first.has(name)) first.set(name, resource);
  }
  return [...first.values()];
}

function matching(versions: readonly DiscoveredVersion[], name: string): ApiResource[] {
  const wanted = name.trim().toLowerCase();
  const [plain = '', ...rest] = wanted.split('.');
  if (plain === '') return [];
  const all = allResources(versions);
  if (rest.length === 0) {
    const byName = all.filter((one) => namesOf(one).includes(plain));
    // Short names come last: one that a CRD brings must not hide a type of that name.
    return firstOfEach([...byName, ...all.filter((one) => shortNamesOf(one).includes(plain))]);
  }
  const [version, ...groupOfVersion] = rest;
  return firstOfEach(
    all.filter((one) => {
      if (!namesOf(one).includes(plain) && !shortNamesOf(one).includes(plain)) return false;
      return (
        one.group === rest.join('.') || (one.version === version && one.group === groupOfVersion.join('.'))
      );
    }),
  );
}

function namesOf(resource: ApiResource): string[] {
  return [resource.plural, resource.singular, resource.kind].map((one) => one.toLowerCase());
}

function shortNamesOf(resource: ApiResource): string[] {
  return resource.shortNames.map((one) => one.toLowerCase());
}
