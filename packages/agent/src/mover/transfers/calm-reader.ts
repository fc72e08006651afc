import type { Readable } from 'node:stream';

/**
 * rsync writes a line for each file. The socket behind its standard output holds some 270 of them (each counts with the
 * kernel's own bookkeeping), so a pause of this length holds up nobody who sends fewer than 27,000 files a second.
 */
const PAUSE_MS = 10;

/**
 * Reads what has come together since the last time, and not each line when it comes: with 10,000 files a second that took
 * a tenth of a processor (measured).
 */
export function readCalmly(output: Readable | null, onChunk: (chunk: Buffer) => void): void {
  if (output === null) return;
  output.on('data', (chunk: Buffer) => {
    onChunk(chunk);
    output.pause();
    setTimeout(() => output.resume(), PAUSE_MS);
  });
}
