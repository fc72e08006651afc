import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { flushFileSystem } from './flush.js';

/** What a file system holds: all that is on it counts, whoever wrote it. */
export interface Usage {
  readonly bytes: number;
  readonly inodes: number;
}

/** Between two looks. */
const LOOK_MS = 250;
/** Of a size that is written in a moment, so that whoever else uses the file system is not held up. */
const DUE_BYTES = 64 * 2 ** 20;
/**
 * Where files are small, a flush in between makes the file system write the same blocks of its journal and its directories
 * again and again (measured with one each half second: 50,000 files took a fifth longer).
 */
const LARGE_BYTES = 2 ** 20;

export function isDue(last: Usage, now: Usage): boolean {
  const bytes = now.bytes - last.bytes;
  return bytes >= DUE_BYTES && bytes >= LARGE_BYTES * (now.inodes - last.inodes);
}

/**
 * Has the device take what is written while more of it comes. Otherwise all of it waits for the flush at the end, while the
 * network and the processors stand idle.
 */
export class FlushAhead {
  readonly #cwd: string;
  readonly #flush: typeof flushFileSystem;
  readonly #outer: AbortSignal;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;

  /**
   * @param cwd a directory of the file system, by a path that leads to it and nowhere else
   * @param signal ends what is under way, too
   */
  constructor(cwd: string, signal: AbortSignal, flush = flushFileSystem) {
    this.#cwd = cwd;
    this.#flush = flush;
    this.#outer = signal;
    this.#running = this.#run();
    this.#running.catch(() => undefined);
  }

  /**
   * No more of it, once what is under way is done.
   *
   * @throws the error of one that failed: the kernel tells of each only once, so the flush at the end may well succeed
   */
  async end(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const signal = AbortSignal.any([this.#abort.signal, this.#outer]);
    for (let last = await this.#usage(); ;) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const now = await this.#usage();
      if (!isDue(last, now)) continue;
      await this.#flush(this.#cwd, this.#outer);
      last = now;
    }
  }

  async #usage(): Promise<Usage> {
    const { bsize, blocks, bfree, files, ffree } = await statfs(this.#cwd);
    return { bytes: bsize * (blocks - bfree), inodes: files - ffree };
  }
}
