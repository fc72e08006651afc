import { DrError, errorTable } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ErrorLog } from './error-log.js';
import { exitTable } from './exit-codes.js';
import { transferError } from './outcome.js';

function logOf(text: string, prefixes: readonly string[] = []): ErrorLog {
  const log = new ErrorLog(prefixes);
  log.push(Buffer.from(text));
  log.end();
  return log;
}

const outcome = (exitCode: number | null, text = '', ended?: DrError) =>
  transferError({ exitCode, signal: exitCode === null ? 'SIGKILL' : null }, logOf(text), ended);

describe('Given how rsync ended', () => {
  test.each([0, 24])(
    'When the exit code is %i, then it is a success, whatever was said or wanted',
    (code) => {
      expect(outcome(code)).toBeUndefined();
      expect(outcome(code, 'No space left on device\n', new DrError('Cancelled', 'x'))).toBeUndefined();
    },
  );

  test('When it is any other number or a signal, then it is none, and has a code of the table', () => {
    for (let code = 0; code < 256; code += 1) {
      if (code === 0 || code === 24) continue;
      const error = outcome(code);
      expect(Object.hasOwn(errorTable, error?.code ?? '')).toBe(true);
      expect(error?.message).toContain(`exit code ${code}`);
    }
    expect(outcome(null)).toMatchObject({ code: 'TransferFailed', message: 'ended by SIGKILL' });
    expect(Object.values(exitTable).filter(({ error }) => error === undefined)).toHaveLength(2);
  });

  test.each<[number, string, string]>([
    [11, 'rsync: [receiver] write failed on "/v/big": No space left on device (28)', 'DestinationFull'],
    [23, 'rsync: [receiver] mkstemp "/v/.x.a" failed: Disk quota exceeded (122)', 'DestinationFull'],
    [
      23,
      'rsync: [generator] recv_generator: mkdir "/v/d" failed: Read-only file system (30)',
      'VolumeReadOnly',
    ],
    [23, 'rsync: [sender] send_files failed to open "/v/x": Permission denied (13)', 'TransferPartial'],
    [
      23,
      'rsync: [sender] readlink_stat("/v/Permission denied (publickey)") failed: Input/output error (5)',
      'TransferPartial',
    ],
    [
      23,
      'rsync: [sender] send_files failed to open "/v/: No space left on device (28)": Permission denied (13)',
      'TransferPartial',
    ],
    [12, '[sender] io timeout after 5 seconds -- exiting', 'TransferStalled'],
    [30, '', 'TransferStalled'],
    [
      255,
      'No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking.',
      'HostKeyMismatch',
    ],
    [
      255,
      '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.',
      'HostKeyMismatch',
    ],
    [255, 'Host key verification failed.\nConnection closed by 127.0.0.1 port 2222', 'HostKeyMismatch'],
    [
      255,
      'Unable to negotiate with 10.0.0.1 port 2222: no matching host key type found. Their offer: ssh-dss',
      'HostKeyMismatch',
    ],
    [255, 'drsyncer@127.0.0.1: Permission denied (publickey).', 'GrantNotFound'],
    [
      77,
      'dr-syncer: refused: GrantNotFound: The key is for a grant that has been withdrawn.',
      'GrantNotFound',
    ],
    [77, 'dr-syncer: refused: StartFailed: rsync could not be started: Busy', 'TransferFailed'],
    [77, 'dr-syncer: refused: OptionNotAllowed: option --super is not allowed', 'BadRequest'],
    [255, 'ssh: connect to host 10.0.0.1 port 2222: Connection refused', 'AgentUnreachable'],
    [255, 'ssh: Could not resolve hostname nowhere: Name or service not known', 'AgentUnreachable'],
    [255, 'Timeout, server 10.0.0.1 not responding.', 'AgentUnreachable'],
    [255, 'client_loop: send disconnect: Broken pipe', 'AgentUnreachable'],
    [12, 'Connection to 10.0.0.1 closed by remote host.', 'AgentUnreachable'],
    [255, '', 'AgentUnreachable'],
    [255, 'No user exists for uid 1000690000', 'Internal'],
  ])('When the exit code is %i and it said "%s", then the error is %s', (code, text, expected) => {
    expect(
      outcome(code, `${text}\nrsync error: some sum (code ${code}) at x.c(1) [sender=3.5.0]\n`)?.code,
    ).toBe(expected);
  });

  test('When the mover ended it, then that is why', () => {
    expect(outcome(20, '', new DrError('Cancelled', 'asked for'))).toMatchObject({ code: 'Cancelled' });
    expect(outcome(null, '', new DrError('Timeout', 'late'))).toMatchObject({ code: 'Timeout' });
  });

  test('When many files fail, then the first are named, relative to the volume, and the rest counted', () => {
    const lines = Array.from(
      { length: 500 },
      (_, i) => `rsync: [sender] send_files failed to open "/vol/f${i}": Permission denied (13)`,
    );
    const log = logOf(lines.join('\n'), ['/vol']);
    const message = transferError({ exitCode: 23, signal: null }, log)?.message ?? '';
    expect(message).toContain('"f0": Permission denied');
    expect(message).toContain('and 490 more');
    expect(message.length).toBeLessThan(4_100);
  });

  test('When files vanish, then they are counted and no problem', () => {
    const log = logOf(
      'file has vanished: "/vol/a"\ndirectory has vanished: "/vol/d"\nrsync warning: some files vanished (code 24)\n',
    );
    expect(log.vanished).toBe(2);
    expect(log.problems).toBe(0);
  });

  test('When it says anything at all, then what is kept is bounded and printable', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 5_000 }), { maxLength: 20 }), (chunks) => {
        const log = new ErrorLog([]);
        for (const chunk of chunks) log.push(Buffer.from(chunk));
        log.end();
        expect(log.lines.length).toBeLessThanOrEqual(10);
        for (const line of log.lines) {
          expect(line.length).toBeLessThanOrEqual(400);
          expect(/^[^\p{Cc}]*$/u.test(line)).toBe(true);
        }
      }),
    );
  });
});
