import type { ReplicationStatus } from '@dr-syncer/api';
import {
  isConflict,
  isNotFound,
  type KubeClient,
  type KubeObject,
  refOf,
  writeStatus,
} from '@dr-syncer/kube';

import { replications } from '../custom-resources.js';

const INTERVAL_MS = 1_000;
const ATTEMPTS = 5;

/**
 * Writes the status of one Replication: at most one write a second while things move, none without a change, and the
 * last state for certain.
 */
export class StatusWriter {
  readonly #client: KubeClient;
  readonly #snapshot: () => ReplicationStatus;
  #object: KubeObject;
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #lastWrite = Number.NEGATIVE_INFINITY;

  /** @param snapshot gives the state at the moment of writing */
  constructor(client: KubeClient, object: KubeObject, snapshot: () => ReplicationStatus) {
    this.#client = client;
    this.#object = object;
    this.#snapshot = snapshot;
  }

  /** Something has changed: writes at once, or at the end of the second that the last write began. */
  changed(): void {
    if (this.#timer !== undefined) return;
    const wait = Math.max(0, this.#lastWrite + INTERVAL_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // Progress that can't be written is written a second later; the end of the sync uses `flush`.
      void this.#enqueue().catch(() => undefined);
    }, wait);
  }

  /** Writes the present state, now. @throws KubeError */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#enqueue();
  }

  #enqueue(): Promise<void> {
    const write = this.#writing.catch(() => undefined).then(() => this.#write());
    this.#writing = write;
    return write;
  }

  async #write(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#lastWrite = performance.now();
        this.#object = await writeStatus(this.#client, replications, this.#object, this.#snapshot());
        return;
      } catch (err) {
        if (isNotFound(err)) return;
        if (!isConflict(err) || attempt === ATTEMPTS) throw err;
        this.#object = await this.#client.get(refOf(replications, this.#object));
      }
    }
  }
}
