import type { Identity } from '@dr-syncer/api';
import type { VolumeRef } from '@dr-syncer/ssh';

import type { OpenVolume } from '../volumes/open-volume.js';
import { ChangePipe } from './change-pipe.js';
import type { VolumeRecord } from './volume-records.js';

/** Follows what one receiving rsync changes. */
export interface WriteWatch {
  /** For rsync's command line. */
  readonly args: readonly string[];
  /** It has ended, or never began. */
  readonly ended: (exitCode: number | null) => Promise<void>;
}

/** Asked before an rsync writes to a volume. */
export interface WriteWatcher {
  /**
   * Takes the volume's marker away: from here on its entries may not be as wanted.
   *
   * @throws DrError PermissionsIncomplete, IdentityMismatch, Internal
   */
  watch(ref: VolumeRef, volume: OpenVolume, identity: Identity): Promise<WriteWatch>;
}

/** rsync came to its end, so it has written down all it did: some files failed or vanished, deletions were limited. */
const COMPLETE = new Set([0, 23, 24, 25]);

/** @param dir see `ChangePipe.make` */
export async function watchInto(record: VolumeRecord, dir: string, identity: Identity): Promise<WriteWatch> {
  let settle: () => void = () => undefined;
  const writer = new Promise<void>((resolve) => {
    settle = resolve;
  });
  // All entries will be looked at anyway: nothing to write down.
  const pipe =
    record.names.value === 'all'
      ? undefined
      : await ChangePipe.make(dir, identity.uid, identity.gid, (name) => record.names.add(name));
  record.writers.add(writer);
  return {
    args: pipe?.args ?? [],
    ended: async (exitCode) => {
      const complete = (await pipe?.end().catch(() => false)) ?? true;
      if (!complete || exitCode === null || !COMPLETE.has(exitCode)) record.names.setAll();
      record.writers.delete(writer);
      settle();
    },
  };
}
