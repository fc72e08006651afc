import { type FileHandle, open } from 'node:fs/promises';

import type { Identity } from '@dr-syncer/api';

import type { OpenVolume } from '../volumes/open-volume.js';
import { runSurvey, type SurveyProgram } from './survey.js';
import type { SurveyStore } from './survey-store.js';

/** Regular files of a volume that one rsync sends. */
export interface Shard {
  readonly files: number;
  readonly bytes: number;
  /** Their names below the root, a zero byte behind each; the caller closes it. */
  readonly open: () => Promise<FileHandle>;
}

export interface ShardLists {
  /** Without empty ones. */
  readonly shards: readonly Shard[];
  readonly remove: () => Promise<void>;
}

export interface SplitRequest {
  readonly holder: string;
  readonly volume: OpenVolume;
  readonly identity: Identity;
  /** Only what is not as it was when the last survey was kept. */
  readonly changedOnly: boolean;
  readonly count: number;
}

/** Of all lists together. What they have no room for the last rsync of the transfer finds, as it finds everything. */
const LISTS_ROOM = 256 << 20;

/** Parts the files of a volume among the streams of a transfer; lists are on disk, whatever their number. */
export class Splitter {
  readonly #program: SurveyProgram;
  readonly #store: SurveyStore;

  constructor(program: SurveyProgram, store: SurveyStore) {
    this.#program = program;
    this.#store = store;
  }

  /**
   * Shards that take about as long as each other to send; all names of a file are in one of them.
   *
   * @throws DrError IdentityMismatch, TransferFailed; the signal's reason
   */
  async split(request: SplitRequest, signal: AbortSignal): Promise<ShardLists> {
    const { holder, volume, identity, changedOnly, count } = request;
    const store = this.#store;
    const remove = () => store.removeShards(holder);
    const nothing = await open('/dev/null', 'r+');
    const before = changedOnly ? await store.openSet(holder, 'kept').catch(() => undefined) : undefined;
    let lists: FileHandle[] = [];
    try {
      lists = await store.beginShards(holder, count);
      const report = await runSurvey(
        this.#program,
        {
          ...{ volume, identity, key: store.key, lists, namesRoom: LISTS_ROOM },
          ...{ before: before ?? nothing, after: nothing, names: nothing },
        },
        signal,
      );
      const shards = report.shards.map((shard, index) => ({
        ...shard,
        open: () => store.openShard(holder, index),
      }));
      return { shards: shards.filter(({ files }) => files > 0), remove };
    } catch (err) {
      await remove();
      throw err;
    } finally {
      for (const file of [nothing, before, ...lists]) await file?.close();
    }
  }
}
