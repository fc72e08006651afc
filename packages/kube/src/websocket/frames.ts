import { randomBytes } from 'node:crypto';

/** RFC 6455 section 5.2. */
export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The peer broke the protocol; the connection is of no use any more. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** What a reader makes of the bytes: payload as it comes in, never a whole message, so nothing is held back. */
export type FramePart =
  | { readonly kind: 'data'; readonly first: boolean; readonly payload: Buffer }
  | { readonly kind: 'close' | 'ping' | 'pong'; readonly payload: Buffer };

const MAX_CONTROL = 125;
/** Two bytes, eight of extended length; a server does not mask (section 5.1). */
const MAX_HEADER = 10;

/**
 * One frame of a client: final, and masked, as section 5.3 has it, with a key that cannot be foreseen.
 */
export function encodeFrame(code: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.allocUnsafe(2 + extended + 4 + length);
  frame[0] = 0x80 | code;
  frame[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  const key = randomBytes(4);
  key.copy(frame, 2 + extended);
  const from = 6 + extended;
  for (let index = 0; index < length; index += 1) {
    frame[from + index] = (payload[index] ?? 0) ^ (key[index & 3] ?? 0);
  }
  return frame;
}

interface Frame {
  readonly code: number;
  readonly final: boolean;
  left: number;
}

/** Takes a server's frames apart. Holds back a header or a control frame (125 bytes) at most. */
export class FrameReader {
  #header = Buffer.alloc(0);
  #frame: Frame | undefined;
  #control: Buffer[] = [];
  /** A message has begun and its last frame has not ended. */
  #inMessage = false;
  /** Its first byte has come. */
  #started = false;

  /** @throws FrameError */
  push(chunk: Buffer): FramePart[] {
    const parts: FramePart[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#frame === undefined) {
        rest = this.#readHeader(rest, parts);
        continue;
      }
      const taken = rest.subarray(0, this.#frame.left);
      rest = rest.subarray(taken.length);
      this.#frame.left -= taken.length;
      this.#payload(this.#frame, taken, parts);
    }
    return parts;
  }

  /** Gathers the header; returns what of the chunk comes after it. */
  #readHeader(chunk: Buffer, parts: FramePart[]): Buffer {
    const known = this.#header.length;
    const bytes = Buffer.concat([this.#header, chunk.subarray(0, MAX_HEADER - known)]);
    const size = headerSize(bytes);
    if (size === undefined || bytes.length < size) {
      this.#header = bytes;
      return chunk.subarray(bytes.length - known);
    }
    this.#header = Buffer.alloc(0);
    this.#begin(bytes.subarray(0, size), parts);
    return chunk.subarray(size - known);
  }

  #begin(header: Buffer, parts: FramePart[]): void {
    const [first = 0, second = 0] = header;
    if ((first & 0x70) !== 0) throw new FrameError('a frame uses an extension that was not agreed on');
    if ((second & 0x80) !== 0) throw new FrameError('a frame of the server is masked');
    this.#frame = { code: first & 0x0f, final: (first & 0x80) !== 0, left: payloadLength(header) };
    if (this.#frame.code >= opcode.close) checkControl(this.#frame);
    else this.#beginData(this.#frame);
    // An empty frame has ended with its header.
    if (this.#frame.left === 0) this.#payload(this.#frame, Buffer.alloc(0), parts);
  }

  #beginData({ code }: Frame): void {
    if (code > opcode.binary) throw new FrameError('a frame of unknown kind');
    if ((code === opcode.continuation) !== this.#inMessage) {
      throw new FrameError('the frames of a message are out of order');
    }
    if (!this.#inMessage) this.#started = false;
    this.#inMessage = true;
  }

  #payload(frame: Frame, payload: Buffer, parts: FramePart[]): void {
    const { code, final, left } = frame;
    if (code < opcode.close) {
      if (payload.length > 0) {
        parts.push({ kind: 'data', first: !this.#started, payload });
        this.#started = true;
      }
      if (left === 0 && final) this.#inMessage = false;
    } else {
      this.#control.push(payload);
      if (left === 0) parts.push({ kind: controlKind(code), payload: Buffer.concat(this.#control) });
    }
    if (left === 0) {
      this.#frame = undefined;
      this.#control = [];
    }
  }
}

function checkControl({ code, final, left }: Frame): void {
  if (code > opcode.pong) throw new FrameError('a frame of unknown kind');
  if (!final || left > MAX_CONTROL) throw new FrameError('a control frame is too long');
}

function controlKind(code: number): 'close' | 'ping' | 'pong' {
  return code === opcode.close ? 'close' : code === opcode.ping ? 'ping' : 'pong';
}

function headerSize(bytes: Buffer): number | undefined {
  const second = bytes[1];
  if (second === undefined) return undefined;
  const length = second & 0x7f;
  return length === 127 ? 10 : length === 126 ? 4 : 2;
}

function payloadLength(header: Buffer): number {
  if (header.length === 2) return (header[1] ?? 0) & 0x7f;
  if (header.length === 4) return header.readUInt16BE(2);
  const length = header.readBigUInt64BE(2);
  if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw new FrameError('a frame is too long');
  return Number(length);
}
