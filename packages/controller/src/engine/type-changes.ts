import type { DrError } from '@dr-syncer/api';
import { type KubeObject, Reflector, type Resource, wellKnown } from '@dr-syncer/kube';

import type { Cluster } from '../clusters/cluster.js';

/** A server serves a type some moments after its definition says that it does. */
const ECHOES_MS = [500, 2_000, 8_000] as const;

/**
 * Tells when CustomResourceDefinitions of a cluster come, change or go. Where they can't be watched nothing is told,
 * and whoever listens has to look by themselves from time to time.
 */
export class TypeChanges {
  readonly #reflector: Reflector;
  readonly #listeners = new Set<() => void>();
  #timers: NodeJS.Timeout[] = [];

  constructor({ client }: Cluster, onError: (resource: Resource, err: DrError) => void) {
    const resource = wellKnown.customResourceDefinitions;
    this.#reflector = new Reflector({
      ...{ client, resource },
      transform: ({ apiVersion, kind, metadata }): KubeObject => {
        const { name, uid, resourceVersion } = metadata;
        const kept = { name, ...(uid !== undefined && { uid }), ...(resourceVersion && { resourceVersion }) };
        return { apiVersion, kind, metadata: kept };
      },
      onError: (err) => onError(resource, err),
    });
    const changed = (): void => {
      if (this.#reflector.isSynced) this.#changed();
    };
    this.#reflector.subscribe({ added: changed, updated: changed, deleted: changed });
    this.#reflector.start(new AbortController().signal);
  }

  /** @returns the way to stop listening */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    void this.#reflector.close();
  }

  #changed(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = ECHOES_MS.map((ms) =>
      setTimeout(() => {
        for (const listener of this.#listeners) listener();
      }, ms),
    );
  }
}
