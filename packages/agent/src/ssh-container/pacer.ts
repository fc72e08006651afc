import type { Writable } from 'node:stream';
import { Writable as Stream } from 'node:stream';

/** What may go through at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 0.1;

/**
 * Holds a flow of bytes to a rate, which may be changed while it flows. All streams of a grant share one. Bytes are let
 * through first and waited for afterwards, so a chunk larger than the burst is no problem.
 */
export class Pacer {
  readonly #now: () => number;
  #perSecond: number;
  /** When all that was let through will have been paid for (ms). */
  #paidAt: number;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(bytesPerSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = bytesPerSecond;
    this.#now = now;
    this.#paidAt = now();
  }

  /** What is owed already is owed at the new rate. */
  set bytesPerSecond(value: number) {
    const now = this.#now();
    if (this.#paidAt > now) this.#paidAt = now + ((this.#paidAt - now) * this.#perSecond) / value;
    this.#perSecond = value;
  }

  /** These have gone through; the next may in so many milliseconds. */
  took(bytes: number): number {
    const now = this.#now();
    const earliest = now - BURST_SECONDS * 1000;
    this.#paidAt = Math.max(this.#paidAt, earliest) + (bytes / this.#perSecond) * 1000;
    return Math.max(0, this.#paidAt - now);
  }
}

/** Passes on what is written no faster than the pacer lets it; the writer feels it as back pressure. */
export function paced(sink: Writable, pacer: Pacer): Writable {
  let timer: NodeJS.Timeout | undefined;
  const stream: Stream = new Stream({
    write(chunk: Buffer, _encoding, done) {
      const wait = pacer.took(chunk.length);
      sink.write(chunk, (err) => {
        if (err || wait < 1) done(err);
        else timer = setTimeout(done, wait);
      });
    },
    final(done) {
      sink.end(done);
    },
    destroy(err, done) {
      clearTimeout(timer);
      done(err);
    },
  });
  sink.on('error', (err) => stream.destroy(err));
  sink.once('close', () => stream.destroy());
  return stream;
}
