import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { paced, Pacer } from './pacer.js';

describe('Given a flow that is held to a rate', () => {
  test('When chunks of any size come as soon as they may, then the rate is kept over time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 20, maxLength: 200 }),
        fc.integer({ min: 1_000, max: 10_000_000 }),
        (chunks, rate) => {
          let now = 0;
          const pacer = new Pacer(rate, () => now);
          let sent = 0;
          for (const chunk of chunks) {
            sent += chunk;
            now += pacer.took(chunk);
          }
          const seconds = now / 1000;
          expect(sent).toBeLessThanOrEqual(rate * (seconds + 0.1) + 1);
          expect(sent).toBeGreaterThanOrEqual(rate * seconds - 1);
        },
      ),
    );
  });

  test('When the rate is changed, then what is owed is owed at the new one', () => {
    let now = 0;
    const pacer = new Pacer(1_000, () => now);
    expect(pacer.took(10_000)).toBe(10_000);
    pacer.bytesPerSecond = 10_000;
    now = 1_000;
    expect(pacer.took(1_000)).toBeCloseTo(100, 6);
  });

  test('When nothing came for long, then no more than the burst goes through at once', () => {
    let now = 0;
    const pacer = new Pacer(1_000, () => now);
    now = 3_600_000;
    expect(pacer.took(1_100)).toBeCloseTo(1_000, 6);
  });

  test('When it is put before a sink, then everything arrives in order, with its end', async () => {
    const sink = new PassThrough();
    const chunks = Array.from({ length: 50 }, (_, i) => Buffer.alloc(1_000, i));
    const got: Buffer[] = [];
    sink.on('data', (chunk: Buffer) => got.push(chunk));
    await pipeline(Readable.from(chunks), paced(sink, new Pacer(500_000)));
    expect(Buffer.concat(got).equals(Buffer.concat(chunks))).toBe(true);
    expect(sink.writableEnded).toBe(true);
  });

  test('When the sink breaks, then the writer hears of it', async () => {
    const sink = new PassThrough();
    const stream = paced(sink, new Pacer(1));
    const failed = new Promise((resolve) => stream.once('error', resolve));
    stream.write(Buffer.alloc(1_000));
    sink.destroy(new Error('gone'));
    expect(await failed).toMatchObject({ message: 'gone' });
  });
});
