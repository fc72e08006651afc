import type { Writable } from 'node:stream';
import { DrError } from '@dr-syncer/api';
import type { Frame } from './frames.js';

export interface FrameLimits {
  /** Of one line in bytes. */
  readonly maxLineBytes: number;
  /** Frames that the stream has not taken yet. */
  readonly maxUnsent: number;
}

/** Writes frames as lines and knows which of them the stream has taken. */
export class FrameWriter {
  readonly #stream: Writable;
  readonly #limits: FrameLimits;
  readonly #onOverflow: () => void;
  readonly #unsent = new Set<(taken: boolean) => void>();
  #closed = false;

  /** `onOverflow`: the other side does not read; called instead of queueing more. */
  constructor(stream: Writable, limits: FrameLimits, onOverflow: () => void) {
    this.#stream = stream;
    this.#limits = limits;
    this.#onOverflow = onOverflow;
  }

  /**
   * Resolves when the stream has taken the frame (true) or is closed (false). Never rejects.
   *
   * @throws DrError BadRequest at once when the frame is too long for a line.
   */
  send(frame: Frame): Promise<boolean> {
    const line = Buffer.from(`${JSON.stringify(frame)}\n`);
    if (line.length - 1 > this.#limits.maxLineBytes) {
      throw new DrError('BadRequest', `the message has ${line.length} bytes, more than a line may have`);
    }
    if (this.#unsent.size >= this.#limits.maxUnsent) this.#onOverflow();
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#unsent.add(resolve);
      this.#stream.write(line, (err) => {
        if (this.#unsent.delete(resolve)) resolve(!err);
      });
    });
  }

  /** Settles what waits: an ssh2 channel that has closed never calls back. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#unsent) resolve(false);
    this.#unsent.clear();
  }
}
