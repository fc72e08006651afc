import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { encodeFrame, type FramePart, FrameReader, opcode } from './frames.js';
import { serverFrame } from './testing/server-frame.js';

function read(bytes: Buffer, cuts: readonly number[] = []): FramePart[] {
  const reader = new FrameReader();
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return edges
    .slice(1)
    .flatMap((edge, index) => reader.push(bytes.subarray(edges[index], edge)))
    .map((part) => ({ ...part, payload: Buffer.from(part.payload) }));
}

/** The messages that the parts are of. */
function messages(parts: readonly FramePart[]): Buffer[] {
  const all: Buffer[] = [];
  for (const part of parts) {
    if (part.kind !== 'data') continue;
    if (part.first) all.push(part.payload);
    else all.push(Buffer.concat([all.pop() ?? Buffer.alloc(0), part.payload]));
  }
  return all;
}

describe('Given frames of a server', () => {
  test('When they come in any pieces Then the same messages are read', () => {
    const payload = fc.uint8Array({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 20 }), (all, cuts) => {
        const bytes = Buffer.concat(all.map((one) => serverFrame(opcode.binary, Buffer.from(one))));
        expect(messages(read(bytes, cuts))).toEqual(all.map((one) => Buffer.from(one)));
      }),
    );
  });

  test.each([0, 1, 125, 126, 65_535, 65_536, 200_000])(
    'When one has %d bytes Then all are read',
    (length) => {
      const payload = Buffer.alloc(length, 7);

      expect(Buffer.concat(messages(read(serverFrame(opcode.binary, payload))))).toEqual(payload);
    },
  );

  test('When a message is in pieces with a ping between Then both are read, and an empty first piece is no first byte', () => {
    const bytes = Buffer.concat([
      serverFrame(opcode.binary, Buffer.alloc(0), { final: false }),
      serverFrame(opcode.ping, Buffer.from('hi')),
      serverFrame(opcode.continuation, Buffer.from('ab'), { final: false }),
      serverFrame(opcode.continuation, Buffer.from('c')),
    ]);

    expect(read(bytes)).toEqual([
      { kind: 'ping', payload: Buffer.from('hi') },
      { kind: 'data', first: true, payload: Buffer.from('ab') },
      { kind: 'data', first: false, payload: Buffer.from('c') },
    ]);
  });

  test.each([
    ['masked', encodeFrame(opcode.binary, Buffer.from('x'))],
    ['of an extension', Buffer.from([0xc2, 0x00])],
    ['of an unknown kind', Buffer.from([0x83, 0x00])],
    ['a continuation of nothing', Buffer.from([0x80, 0x00])],
    ['a long ping', Buffer.from([0x89, 126, 0, 200])],
    ['too long to count', Buffer.from([0x82, 127, 255, 0, 0, 0, 0, 0, 0, 0])],
    ['a new message within one', Buffer.concat([Buffer.from([0x02, 0x00]), Buffer.from([0x82, 0x00])])],
  ])('When one is %s Then it is refused', (_what, bytes) => {
    expect(() => read(bytes)).toThrow('frame');
  });
});

describe('Given a frame of ours', () => {
  test('When it is unmasked Then the payload is there', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), (payload) => {
        const frame = encodeFrame(opcode.binary, payload);
        const from = payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10;
        const key = frame.subarray(from, from + 4);
        const clear = frame.subarray(from + 4).map((byte, index) => byte ^ key[index & 3]!);
        expect([frame[0], frame[1]! & 0x80]).toEqual([0x82, 0x80]);
        expect(Buffer.from(clear)).toEqual(Buffer.from(payload));
      }),
      { numRuns: 30 },
    );
  });
});
