/**
 * Keeps the last bytes of a command's standard error. They are passed on once, at the end: sending them as they come
 * breaks standard output in ssh2 (a stalled stderr replays a stale chunk of stdout, server.js CHANNEL_WINDOW_ADJUST).
 */
export class StderrTail {
  readonly #max: number;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#max = maxBytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    // Copying at twice the size keeps both the copies and the memory bounded.
    if (this.#length > 2 * this.#max) this.#compact();
  }

  text(): string {
    this.#compact();
    return (this.#chunks[0] ?? Buffer.alloc(0)).toString('utf8');
  }

  #compact(): void {
    const all = Buffer.concat(this.#chunks);
    const tail = Buffer.from(all.subarray(Math.max(0, all.length - this.#max)));
    this.#chunks = [tail];
    this.#length = tail.length;
  }
}
