import { randomBytes } from 'node:crypto';
import { constants, openSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';

import { makeFifo } from '../process/fifo.js';
import { ChangeLogReader } from './change-log.js';

/** What is in a pipe is read in a moment; a process that keeps it open must not hold up everything. */
const DRAIN_MS = 10_000;

/** A FIFO that a receiving rsync writes its log into, and what has been read from it. */
export class ChangePipe {
  readonly #path: string;
  readonly #reader: ChangeLogReader;
  readonly #input: Socket;
  /** Ours, so that the end of rsync's is not taken for the end before it has begun. */
  readonly #writer: FileHandle;
  readonly #ended: Promise<void>;

  private constructor(path: string, reader: ChangeLogReader, input: Socket, writer: FileHandle) {
    this.#path = path;
    this.#reader = reader;
    this.#input = input;
    this.#writer = writer;
    input.on('data', (chunk: Buffer) => reader.push(chunk));
    input.on('error', () => undefined);
    this.#ended = new Promise((resolve) => input.once('close', () => resolve()));
  }

  /** @param dir may be entered by `uid`, who may write to the pipe. @throws the error of mkfifo(1), open(2) */
  static async make(
    dir: string,
    uid: number,
    gid: number,
    onName: (name: string) => void,
  ): Promise<ChangePipe> {
    const path = join(dir, `changes-${randomBytes(12).toString('hex')}`);
    await makeFifo(path, uid, gid, 0o200);
    try {
      // Does not block; and a socket, which takes the descriptor over, waits for data without a thread.
      const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const input = new Socket({ fd, readable: true, writable: false });
      const writer = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
      return new ChangePipe(path, new ChangeLogReader(onName), input, writer);
    } catch (err) {
      await unlink(path);
      throw err;
    }
  }

  /** For rsync's command line. */
  get args(): string[] {
    return [`--log-file=${this.#path}`, `--log-file-format=${this.#reader.format}`];
  }

  /** rsync has ended. Resolves when all that it wrote has been read. True: nothing is missing in that. */
  async end(): Promise<boolean> {
    await unlink(this.#path).catch(() => undefined);
    await this.#writer.close();
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort();
      this.#input.destroy();
    }, DRAIN_MS);
    await this.#ended;
    clearTimeout(timer);
    this.#reader.end();
    return !late.signal.aborted && !this.#reader.broken;
  }
}
