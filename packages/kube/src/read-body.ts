import type { Readable } from 'node:stream';

/** A body or a line is longer than the limit. */
export class TooLongError extends Error {
  override readonly name = 'TooLongError';
}

/** @throws TooLongError past `maxBytes`; the rest is not read and the connection is given up. */
export async function readText(body: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new TooLongError();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}

const NEWLINE = 0x0a;

/**
 * The lines of a stream, without empty ones; a last line without an end is dropped, as it may be cut.
 * @throws TooLongError when a line is longer than `maxBytes`
 */
export async function* readLines(body: Readable, maxBytes: number): AsyncGenerator<string, void, void> {
  let pending: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      pending.push(chunk.subarray(from, end));
      const line = Buffer.concat(pending).toString('utf8').trim();
      pending = [];
      size = 0;
      from = end + 1;
      if (line !== '') yield line;
    }
    pending.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > maxBytes) throw new TooLongError();
  }
}
