import type { DrError } from '@dr-syncer/api';
import type { Resource } from '@dr-syncer/kube';

import type { Cluster } from '../clusters/cluster.js';
import { TypeChanges } from './type-changes.js';
import { type SourceEntry, sourceTransform, type StandbyEntry, standbyTransform } from './snapshots.js';
import { Views } from './views.js';
import { WriteQueue } from './write-queue.js';

/** What all engines that work with one cluster share. */
export interface Ports {
  readonly sourceViews: Views<SourceEntry>;
  readonly standbyViews: Views<StandbyEntry>;
  readonly writes: WriteQueue;
  /** Begun when it is asked for. */
  readonly typeChanges: () => TypeChanges;
}

export interface HubOptions {
  readonly onViewError: (resource: Resource, err: DrError) => void;
  /** Writes at the same time to one API server. */
  readonly concurrentWrites?: number;
}

/** The ports of each cluster, made for the first engine that needs them and dropped with the last. */
export class EngineHub {
  readonly #options: HubOptions;
  readonly #ports = new Map<Cluster, { ports: Ports; users: number; close: () => void }>();

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /** Must be given back with `release`. */
  acquire(cluster: Cluster): Ports {
    const known = this.#ports.get(cluster) ?? { ...this.#make(cluster), users: 0 };
    known.users += 1;
    this.#ports.set(cluster, known);
    return known.ports;
  }

  release(cluster: Cluster): void {
    const known = this.#ports.get(cluster);
    if (known === undefined) return;
    known.users -= 1;
    if (known.users > 0) return;
    this.#ports.delete(cluster);
    known.close();
  }

  #make(cluster: Cluster): { ports: Ports; close: () => void } {
    const { client } = cluster;
    const { onViewError: onError, concurrentWrites } = this.#options;
    const interned = new Map<string, string>();
    const writes = new WriteQueue({
      ...(concurrentWrites !== undefined && { concurrency: concurrentWrites }),
    });
    let typeChanges: TypeChanges | undefined;
    const ports = {
      writes,
      sourceViews: new Views({ client, transform: sourceTransform, onError }),
      standbyViews: new Views({
        ...{ client, onError },
        transform: (resource, namespace) => standbyTransform(resource, namespace, interned),
      }),
      typeChanges: () => (typeChanges ??= new TypeChanges(cluster, onError)),
    };
    const close = (): void => {
      writes.close();
      typeChanges?.close();
    };
    return { ports, close };
  }
}
