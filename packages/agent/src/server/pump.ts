import type { Readable, Writable } from 'node:stream';

import type { Socket } from 'node:net';
import { isRekeying, type ReceiveWindow } from './window.js';

export interface PumpMeter {
  bytes(count: number): void;
  stalled(): void;
}

/**
 * Channel to command. The reading starts here, in one tick with the sink: a listener that was
 * added while the sink was still being connected lost the first bytes.
 */
export function pumpIn(channel: Readable, sink: Writable, window: ReceiveWindow, meter: PumpMeter): void {
  let open = true;
  channel.on('data', (chunk: Buffer) => {
    meter.bytes(chunk.length);
    // Once the command takes no more, what still comes is dropped: an unread channel is never closed by ssh2.
    if (open && !sink.write(chunk)) {
      meter.stalled();
      channel.pause();
    }
    window.took(chunk.length);
  });
  channel.once('end', () => {
    if (open) sink.end();
  });
  sink.on('drain', () => channel.resume());
  const stop = () => {
    open = false;
    channel.resume();
  };
  // EPIPE when the command ends without having read everything: its exit code says what there is to say.
  sink.on('error', stop);
  sink.once('close', stop);
}

/**
 * Command to channel. ssh2 ignores whether the TCP socket takes what it writes, and queues without a bound while keys
 * are exchanged, so a client with a huge window that stops reading would fill the memory: here reading from the
 * command stops for a full socket, a full channel and a key exchange alike.
 */
export class SendPump {
  readonly #source: Readable;
  readonly #channel: Readable & Writable;
  readonly #socket: Socket;
  readonly #limit: number;
  readonly #meter: PumpMeter;
  /** All of the source's data has been written to the channel; settles on the channel's or source's close, too. */
  readonly finished: Promise<void>;

  constructor(
    source: Readable,
    channel: Readable & Writable,
    socket: Socket,
    options: { readonly sendBufferBytes: number; readonly meter: PumpMeter },
  ) {
    this.#source = source;
    this.#channel = channel;
    this.#socket = socket;
    this.#limit = options.sendBufferBytes;
    this.#meter = options.meter;
    this.finished = new Promise((resolve) => {
      source.once('end', resolve).once('close', resolve).once('error', resolve);
      socket.once('close', resolve);
    });
    source.on('data', (chunk: Buffer) => this.#forward(chunk));
    channel.on('drain', this.proceed);
    socket.on('drain', this.proceed);
    socket.once('close', () => source.resume());
  }

  /** To be called when a key exchange is over. */
  readonly proceed = (): void => {
    if (this.#mayWrite()) this.#source.resume();
  };

  #forward(chunk: Buffer): void {
    if (this.#socket.destroyed || !this.#channel.writable) return;
    this.#meter.bytes(chunk.length);
    this.#channel.write(chunk);
    if (!this.#mayWrite()) {
      this.#meter.stalled();
      this.#source.pause();
    }
  }

  #mayWrite(): boolean {
    if (this.#channel.writableNeedDrain || isRekeying(this.#channel)) return false;
    return this.#socket.writableLength < this.#limit;
  }
}
