import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

import { KubeError } from '../kube-error.js';
import { describeOperation, type Operation } from '../status-response.js';
import { encodeFrame, FrameError, type FramePart, FrameReader, opcode } from './frames.js';

/** Channels of the one port (kubelet `portforward/websocket.go`): the first byte of each message. */
const DATA = 0;
const ERROR = 1;
/** Each channel begins with the port's number, two bytes. */
const PREAMBLE = 2;
const MAX_ERROR = 1024;
/** RFC 6455 section 7.4.1: normal closure. */
const NORMAL_CLOSURE = Buffer.from([0x03, 0xe8]);
/** Payload of one frame; what is written in larger pieces is cut, so that pings are answered in between. */
const MAX_FRAME = 64 * 1024;

/**
 * The bytes of a forwarded port. Reading slowly slows the peer down, and writing waits for the socket, so nothing
 * piles up here. Ends with a `KubeError` when the kubelet says why it cannot connect.
 */
export class PortStream extends Duplex {
  readonly #socket: Socket;
  readonly #operation: Operation;
  readonly #frames = new FrameReader();
  readonly #seen = [0, 0];
  #channel = -1;
  #error = '';
  #over = false;

  constructor(socket: Socket, head: Buffer, operation: Operation) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#operation = operation;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.once('end', () => this.#ended());
    socket.once('close', () => this.#ended());
    socket.on('error', (err) => this.destroy(this.#failure('the connection broke', err)));
    socket.pause();
    if (head.length > 0) process.nextTick(() => this.#take(head));
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (err?: Error | null) => void): void {
    const pieces: Buffer[] = [];
    for (let from = 0; from < chunk.length; from += MAX_FRAME) {
      const piece = chunk.subarray(from, from + MAX_FRAME);
      pieces.push(encodeFrame(opcode.binary, Buffer.concat([Buffer.of(DATA), piece])));
    }
    if (pieces.length === 0) done();
    else this.#socket.write(pieces.length === 1 ? (pieces[0] ?? '') : Buffer.concat(pieces), done);
  }

  override _final(done: (err?: Error | null) => void): void {
    this.#socket.end(encodeFrame(opcode.close, NORMAL_CLOSURE), () => done());
  }

  override _destroy(err: Error | null, done: (err?: Error | null) => void): void {
    this.#socket.destroy();
    done(err);
  }

  #take(chunk: Buffer): void {
    if (this.destroyed || this.#over) return;
    try {
      for (const part of this.#frames.push(chunk)) this.#part(part);
    } catch (err) {
      if (!(err instanceof FrameError)) throw err;
      this.destroy(this.#failure(err.message, err));
    }
  }

  #part(part: FramePart): void {
    if (part.kind === 'ping') this.#socket.write(encodeFrame(opcode.pong, part.payload));
    else if (part.kind === 'close') this.#ended();
    else if (part.kind === 'data') this.#data(part.first, part.payload);
  }

  #data(first: boolean, payload: Buffer): void {
    let content = payload;
    if (first) {
      this.#channel = payload[0] ?? -1;
      content = payload.subarray(1);
    }
    const seen = this.#seen[this.#channel];
    if (seen === undefined) throw new FrameError('a message for a channel that is not open');
    const skipped = Math.min(content.length, Math.max(0, PREAMBLE - seen));
    this.#seen[this.#channel] = seen + skipped;
    content = content.subarray(skipped);
    if (content.length === 0) return;
    if (this.#channel === DATA && !this.push(content)) this.#socket.pause();
    if (this.#channel === ERROR) this.#refused(content);
  }

  /** The kubelet writes its reason and then closes; it may come in pieces. */
  #refused(text: Buffer): void {
    this.#error = (this.#error + text.toString('utf8')).slice(0, MAX_ERROR);
  }

  #ended(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#error !== '') this.destroy(this.#failure(this.#error.trim()));
    else this.push(null);
  }

  #failure(message: string, cause?: unknown): KubeError {
    return new KubeError(
      `${describeOperation(this.#operation)}: ${message}`,
      { status: 0, reason: 'ConnectionReset' },
      { cause },
    );
  }
}
