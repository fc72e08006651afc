import { describe, expect, test } from '@jest/globals';

import { execEndOf, ExecReader } from './exec-reader.js';

const exited = (code: string) =>
  JSON.stringify({
    ...{ status: 'Failure', reason: 'NonZeroExitCode', message: `exit code ${code}` },
    details: { causes: [{ reason: 'ExitCode', message: code }] },
  });

describe('Given what a kubelet says of a command', () => {
  test.each([
    ['it went well', '{"metadata":{},"status":"Success"}', { kind: 'Exited', exitCode: 0 }],
    ['it ended with a code', exited('3'), { kind: 'Exited', exitCode: 3 }],
    [
      'there is no such program',
      JSON.stringify({
        status: 'Failure',
        reason: 'InternalError',
        message: 'exec: "x":\n\u001b[31mnot found',
      }),
      { kind: 'NotRun', message: 'exec: "x": [31mnot found' },
    ],
    ['the code is none', exited('x'), { kind: 'NotRun', message: 'exit code x' }],
    ['it is no JSON', 'container not found', { kind: 'NotRun', message: 'container not found' }],
  ])('When %s Then that is how it ended', (_what, text, end) => {
    expect(execEndOf(text)).toEqual(end);
  });

  test('When it comes in pieces, between output Then output is dropped and the status read', () => {
    const reader = new ExecReader();
    const message = (channel: number, text: string) => Buffer.concat([Buffer.of(channel), Buffer.from(text)]);
    for (const channel of [1, 2, 3]) reader.data(true, message(channel, ''));
    expect(reader.end).toBeUndefined();
    reader.data(true, message(1, 'secret output'));
    reader.data(true, message(3, '{"status":'));
    reader.data(false, Buffer.from('"Success"}'));

    expect(reader.end).toEqual({ kind: 'Exited', exitCode: 0 });
  });

  test.each([
    ['a channel that nobody opened', Buffer.of(7)],
    ['a status without end', Buffer.concat([Buffer.of(3), Buffer.alloc(20_000, 0x61)])],
  ])('When there is %s Then it is refused', (_what, payload) => {
    expect(() => new ExecReader().data(true, payload)).toThrow();
  });
});
