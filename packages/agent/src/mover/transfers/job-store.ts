import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Logger } from '@dr-syncer/runtime';
import { type TransferState, transferStateSchema } from '@dr-syncer/ssh';

/** Between two writes of a job whose phase stays the same. */
const INTERVAL_MS = 1_000;
const SUFFIX = '.json';

/**
 * The states of the jobs as files, so that a mover that was killed knows afterwards what had become of each. Made for a
 * tmpfs that lives as long as the pod: small files, written at once, replaced by rename, so a file is whole or not there.
 * Keys are never among what is written.
 */
export class JobStore {
  readonly #dir: string;
  readonly #logger: Pick<Logger, 'warn'>;
  #complained = false;

  /** @param dir is made when it is not there; nobody but this user may look into it */
  constructor(dir: string, logger: Pick<Logger, 'warn'>) {
    this.#dir = dir;
    this.#logger = logger;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  /** The states left by the process before, as they were written last. What can't be read is dropped. */
  load(): TransferState[] {
    return readdirSync(this.#dir)
      .filter((name) => name.endsWith(SUFFIX))
      .flatMap((name) => this.#read(name));
  }

  /** For one job: takes each state, writes as many of them as are worth it. */
  recorder(): (state: TransferState) => void {
    let phase: TransferState['phase'] | undefined;
    let writtenAt = 0;
    return (state) => {
      const now = Date.now();
      if (state.phase === phase && now - writtenAt < INTERVAL_MS) return;
      phase = state.phase;
      writtenAt = now;
      this.write(state);
    };
  }

  /** A failure is logged and has no other effect: a transfer is worth more than its record. */
  write(state: TransferState): void {
    const path = this.#path(state.id);
    try {
      writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
      renameSync(`${path}.new`, path);
      this.#complained = false;
    } catch (err) {
      if (!this.#complained) this.#logger.warn('state of a transfer could not be kept', { err });
      this.#complained = true;
    }
  }

  remove(id: string): void {
    rmSync(this.#path(id), { force: true });
  }

  /** Ids hold no slash and do not begin with a dot. */
  #path(id: string): string {
    return join(this.#dir, `${id}${SUFFIX}`);
  }

  #read(name: string): TransferState[] {
    try {
      return [transferStateSchema.parse(JSON.parse(readFileSync(join(this.#dir, name), 'utf8')))];
    } catch (err) {
      this.#logger.warn('state of a transfer could not be read and is dropped', { file: name, err });
      rmSync(join(this.#dir, name), { force: true });
      return [];
    }
  }
}
