import type { KubeClient } from './client.js';
import { kubeToDrError, KubeError } from './kube-error.js';
import {
  type DiscoveredVersion,
  parseAggregated,
  parseGroupList,
  parseResourceList,
} from './discovery-parse.js';

/** Aggregated discovery where it is served (Kubernetes 1.27 and newer), or the list of groups in its place. */
const ACCEPT = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',');
const PARALLEL = 8;

/**
 * Everything that a server serves, core group first. A group whose own API server does not answer is returned as
 * stale and does not spoil the rest.
 *
 * @throws KubeError when `/api` or `/apis` itself fails
 */
export async function fetchVersions(client: KubeClient): Promise<DiscoveredVersion[]> {
  const [core, groups] = await Promise.all([
    client.raw('GET', '/api', { accept: ACCEPT }),
    client.raw('GET', '/apis', { accept: ACCEPT }),
  ]);
  const coreVersions = parseAggregated(core) ?? (await fetchEach(client, [{ group: '', version: 'v1' }]));
  const groupVersions = parseAggregated(groups) ?? (await fetchEach(client, parseGroupList(groups)));
  return [...coreVersions, ...groupVersions];
}

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

async function fetchEach(client: KubeClient, wanted: readonly GroupVersion[]): Promise<DiscoveredVersion[]> {
  const found: DiscoveredVersion[] = [];
  for (let from = 0; from < wanted.length; from += PARALLEL) {
    const batch = wanted.slice(from, from + PARALLEL);
    found.push(...(await Promise.all(batch.map((one) => fetchOne(client, one)))));
  }
  return found;
}

async function fetchOne(client: KubeClient, { group, version }: GroupVersion): Promise<DiscoveredVersion> {
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  try {
    const body = await client.raw('GET', path);
    return { group, version, stale: false, resources: parseResourceList(group, version, body) };
  } catch (err) {
    // Without the credentials to ask there is nothing stale about it: the whole discovery has failed.
    if (!(err instanceof KubeError) || kubeToDrError(err).kind === 'wait') throw err;
    return { group, version, stale: true, resources: [] };
  }
}
