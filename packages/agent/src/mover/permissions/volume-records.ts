import type { VolumeRef } from '@dr-syncer/ssh';

import type { OpenVolume } from '../volumes/open-volume.js';
import { ChangedNames, NamesBudget } from './changed-names.js';

/** More volumes than a node has mounts; the oldest goes first, and is gone through as a whole then. */
const MAX_RECORDS = 1024;

/** What was done to one volume, as one pod mounts it, since its marker was taken away. */
export interface VolumeRecord {
  /** The marker that was there before. */
  readonly before: string | undefined;
  readonly names: ChangedNames;
  /** Of rsyncs that write to it: settle when what they changed is in `names`. */
  readonly writers: Set<Promise<void>>;
}

/** The volumes that have been written to, in memory: after a restart of the agent they are gone through as a whole. */
export class VolumeRecords {
  readonly #budget = new NamesBudget();
  readonly #records = new Map<string, VolumeRecord>();
  readonly #turns = new Map<string, Promise<unknown>>();

  /** A volume that another pod mounts, or that was mounted anew, may have been elsewhere meanwhile. */
  static key({ podUid, pvName }: VolumeRef, { identity }: Pick<OpenVolume, 'identity'>): string {
    return `${podUid}/${pvName}/${identity.mountId}/${identity.dev}:${identity.ino}`;
  }

  get(key: string): VolumeRecord | undefined {
    return this.#records.get(key);
  }

  /** In place of one that is there. */
  start(key: string, before: string | undefined): VolumeRecord {
    this.forget(key);
    const names = new ChangedNames(this.#budget);
    if (before === undefined) names.setAll();
    const record: VolumeRecord = { before, names, writers: new Set() };
    this.#records.set(key, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > MAX_RECORDS && oldest !== undefined) this.forget(oldest);
    return record;
  }

  forget(key: string): void {
    this.#records.get(key)?.names.clear();
    this.#records.delete(key);
  }

  /** Runs `work` when all earlier work with that key has ended. */
  async inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#turns.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(key) === mine) this.#turns.delete(key);
    }
  }
}
