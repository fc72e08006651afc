import type { Replication } from '@dr-syncer/api';
import type { ApiResource } from '@dr-syncer/kube';

import type { ClusterView } from '../clusters/cluster.js';
import { Surroundings } from '../resources/cluster-scoped/surroundings.js';
import { compileDesired, type DesiredOf } from '../resources/desired.js';
import { immutableActionFor } from '../resources/immutable.js';
import { namespacesOf } from '../resources/mapping/mappings.js';
import { requireKnown, selectTypes } from '../resources/selection.js';
import { FactsCache } from '../resources/source-facts.js';
import { StorageClasses } from '../resources/storage-classes.js';
import { typeName } from '../resources/type-names.js';
import type { Rules } from './decide.js';
import { pairTypes, type TypePair } from './type-pairs.js';
import { Writer } from './writer.js';
import type { WriteQueue } from './write-queue.js';

export interface SyncPolicySetup {
  readonly source: ClusterView;
  readonly remote: ClusterView;
  readonly replication: Pick<Replication, 'metadata' | 'spec'>;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
}

/** Brings what the remote needs before objects of these types. @returns whether it serves other types now */
type Prepare = (types: readonly ApiResource[], signal: AbortSignal) => Promise<boolean>;

/**
 * What the spec of a Replication means for these two clusters: which types, how an object is to look, how it is
 * written. Shared by a sync and by a plan of one, so that they can't disagree.
 */
export class SyncPolicy {
  readonly surroundings: Surroundings;
  readonly desired: DesiredOf;
  readonly rules: Rules;
  readonly #setup: SyncPolicySetup;
  readonly #facts: FactsCache;
  readonly #classes: StorageClasses;

  /** @throws DrError TransformInvalid */
  constructor(setup: SyncPolicySetup) {
    const { source, remote, replication, sourceNamespace, destinationNamespace } = setup;
    const { spec } = replication;
    const route = { sourceNamespace, destinationNamespace };
    this.#setup = setup;
    this.#facts = new FactsCache(source);
    this.#classes = new StorageClasses(remote.client);
    this.rules = { drift: spec.drift, prune: spec.prune.enabled };
    this.surroundings = new Surroundings({
      ...{ source, remote, sourceNamespace, wanted: spec.clusterResources },
      namespaces: namespacesOf({ spec, ...route }),
    });
    const desiredOf = compileDesired({ replication, ...route, facts: () => this.#facts.current });
    this.desired = (object, type) => {
      const desired = desiredOf(object, type);
      const key = `${typeName(type.plural, type.group)}/${object.metadata.name}`;
      this.surroundings.note(key, desired.outcome === 'object' ? desired.object : undefined);
      return desired;
    };
  }

  /**
   * What to copy, as the servers said at most `maxAgeMs` ago.
   *
   * @throws DrError UnknownResourceType; KubeError
   */
  async types(maxAgeMs: number, prepare: Prepare, signal: AbortSignal): Promise<readonly TypePair[]> {
    const { source, remote, replication } = this.#setup;
    await Promise.all([source, remote].map(({ discovery }) => discovery.refreshIfOlder(maxAgeMs, signal)));
    const selection = await selectTypes(source.discovery, replication.spec, signal);
    requireKnown(selection);
    if (await prepare(selection.types, signal)) await remote.discovery.refresh(signal);
    const pairs = await pairTypes(selection.types, source.discovery, remote.discovery, signal);
    await this.#facts.refresh(
      pairs.map((pair) => pair.source),
      signal,
    );
    return pairs;
  }

  /** @param dryRun the server is asked what would be, and nothing is changed */
  writer(queue: WriteQueue, dryRun = false): Writer {
    const { remote, replication } = this.#setup;
    const { conflicts, immutableResources } = replication.spec;
    return new Writer({
      ...{ client: remote.client, queue, conflicts, dryRun },
      check: (object) => this.#classes.check(object),
      immutable: (type) => immutableActionFor(immutableResources, type),
    });
  }
}
