import { DrError, type RemoteClusterSpec } from '@dr-syncer/api';

import type { Agents } from './agents.js';
import type { Cluster } from './cluster.js';

/** A remote cluster that is ready to work with. */
export interface RemoteHandle {
  readonly cluster: Cluster;
  readonly agents: Agents;
  readonly spec: RemoteClusterSpec;
  /** Changes when any of the above is a new one. */
  readonly fingerprint: string;
}

/**
 * The remote clusters that the RemoteCluster reconciler has found usable, by `namespace/name`; Replications take them
 * from here.
 */
export class RemoteClusters {
  readonly #handles = new Map<string, RemoteHandle>();
  readonly #notReady = new Map<string, string>();

  get(key: string): RemoteHandle | undefined {
    return this.#handles.get(key);
  }

  /** All, by `namespace/name`. */
  handles(): ReadonlyMap<string, RemoteHandle> {
    return this.#handles;
  }

  /** @throws DrError RemoteClusterNotReady with what its condition says */
  require(key: string): RemoteHandle {
    const handle = this.#handles.get(key);
    if (handle !== undefined && !this.#notReady.has(key)) return handle;
    const why = this.#notReady.get(key) ?? 'it has not been looked at yet';
    throw new DrError('RemoteClusterNotReady', `RemoteCluster ${key}: ${why}`);
  }

  /** Takes the handle over; a former one is closed. */
  set(key: string, handle: RemoteHandle): void {
    const former = this.#handles.get(key);
    this.#handles.set(key, handle);
    if (former !== undefined && former.fingerprint !== handle.fingerprint) this.#close(former, handle);
  }

  ready(key: string): void {
    this.#notReady.delete(key);
  }

  notReady(key: string, why: string): void {
    this.#notReady.set(key, why);
  }

  delete(key: string): void {
    const former = this.#handles.get(key);
    this.#handles.delete(key);
    this.#notReady.delete(key);
    if (former !== undefined) this.#close(former);
  }

  close(): void {
    for (const key of [...this.#handles.keys()]) this.delete(key);
  }

  #close(former: RemoteHandle, next?: RemoteHandle): void {
    if (former.agents !== next?.agents) former.agents.close();
    if (former.cluster !== next?.cluster) void former.cluster.close();
  }
}
