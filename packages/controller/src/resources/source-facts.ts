import { type ApiResource, type KubeObject, wellKnown } from '@dr-syncer/kube';

import type { ClusterView } from '../clusters/cluster.js';
import { records, recordAt } from './json.js';
import type { ScalePath, ScalePaths } from './standby/kinds.js';
import { kindName } from './type-names.js';

/** What has to be known of a cluster's types, besides the objects, to decide about objects. Changes with its CRDs. */
export interface SourceFacts {
  /** `Kind.group` of what is not namespaced. */
  readonly clusterScopedKinds: ReadonlySet<string>;
  readonly scalePaths: ScalePaths;
}

export const noFacts: SourceFacts = { clusterScopedKinds: new Set(), scalePaths: new Map() };

const KEEP_MS = 60_000;

/** The facts as of at most a minute ago, and of exactly the types that were asked about last. */
export class FactsCache {
  readonly #cluster: ClusterView;
  #current: SourceFacts = noFacts;
  #key = '';
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(cluster: ClusterView) {
    this.#cluster = cluster;
  }

  get current(): SourceFacts {
    return this.#current;
  }

  /** @throws KubeError */
  async refresh(types: readonly ApiResource[], signal: AbortSignal): Promise<void> {
    const key = types.map(({ plural, group, version }) => `${plural}.${version}.${group}`).join(' ');
    if (key === this.#key && performance.now() - this.#readAt < KEEP_MS) return;
    this.#current = await sourceFacts(this.#cluster, types, signal);
    this.#key = key;
    this.#readAt = performance.now();
  }
}

/** Groups that CRDs can't define; where their replicas are is known. */
const withoutCrds = new Set(['', 'apps', 'apps.openshift.io']);

/**
 * Asks for the CRDs of the given types that have a scale subresource, and for nothing else.
 *
 * @throws KubeError
 */
export async function sourceFacts(
  { client, discovery }: ClusterView,
  types: readonly ApiResource[],
  signal: AbortSignal,
): Promise<SourceFacts> {
  const clusterScoped = await discovery.resources({ namespaced: false }, signal);
  const scaled = types.filter(
    ({ group, subresources }) => subresources.includes('scale') && !withoutCrds.has(group),
  );
  const scalePaths = new Map<string, ScalePath>();
  for (const type of scaled) {
    const name = `${type.plural}.${type.group}`;
    const crd = await client.find({ resource: wellKnown.customResourceDefinitions, name }, { signal });
    scalePaths.set(kindName(type.kind, type.group), scalePathOf(crd, type.version));
  }
  return {
    clusterScopedKinds: new Set(clusterScoped.map(({ kind, group }) => kindName(kind, group))),
    scalePaths,
  };
}

/** Of a type without a CRD, which an aggregated API server has, the place is the usual one. */
function scalePathOf(crd: KubeObject | undefined, version: string): ScalePath {
  const usual = ['spec', 'replicas'];
  const versions = crd === undefined ? [] : records(recordAt(crd, ['spec'])?.['versions']);
  const served = versions.find(({ name }) => name === version);
  const text = served && recordAt(served, ['subresources', 'scale'])?.['specReplicasPath'];
  // A JSON path below .spec, without array notation (apiextensions.k8s.io/v1, CustomResourceSubresourceScale).
  const path = typeof text === 'string' ? text.split('.').filter((step) => step !== '') : usual;
  const schema =
    served &&
    recordAt(served, ['schema', 'openAPIV3Schema', ...path.flatMap((step) => ['properties', step])]);
  return { path, minimum: minimumOf(schema), absent: numberOf(schema?.['default']) };
}

function minimumOf(schema: Readonly<Record<string, unknown>> | undefined): number {
  const minimum = Math.max(0, numberOf(schema?.['minimum']) ?? 0);
  return schema?.['exclusiveMinimum'] === true ? minimum + 1 : minimum;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
