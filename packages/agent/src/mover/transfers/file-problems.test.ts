import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { parseFileProblem } from './file-problems.js';

const prefixes = ['/proc/self/fd/3', '/vol'];

describe('Given what rsync says about a file', () => {
  test.each([
    [
      'rsync: [sender] send_files failed to open "/proc/self/fd/3/a b": Permission denied (13)',
      { path: 'a b', side: 'sender', problem: 'send_files failed to open: Permission denied' },
      /CAP_DAC_READ_SEARCH/,
    ],
    [
      'rsync: [sender] opendir "/proc/self/fd/3/d" failed: Permission denied (13)',
      { path: 'd', side: 'sender', problem: 'opendir failed: Permission denied' },
      /CAP_DAC_READ_SEARCH/,
    ],
    [
      'rsync: [generator] chown "/vol/f" failed: Operation not permitted (1)',
      { path: 'f', side: 'generator', problem: 'chown failed: Operation not permitted' },
      /CAP_CHOWN/,
    ],
    [
      'rsync: [generator] chgrp "/vol" failed: Operation not permitted (1)',
      { path: '.', side: 'generator', problem: 'chgrp failed: Operation not permitted' },
      /CAP_CHOWN/,
    ],
    [
      'rsync: [generator] failed to set times on "/vol/f": Operation not permitted (1)',
      { path: 'f', side: 'generator', problem: 'failed to set times on: Operation not permitted' },
      /CAP_FOWNER/,
    ],
    [
      'rsync: [generator] recv_generator: mkdir "/vol/d" failed: Permission denied (13)',
      { path: 'd', side: 'generator', problem: 'recv_generator: mkdir failed: Permission denied' },
      /CAP_DAC_OVERRIDE/,
    ],
    [
      'rsync: [receiver] mkstemp "/vol/.f.Ab12Cd" failed: Permission denied (13)',
      { path: '.f.Ab12Cd', side: 'receiver', problem: 'mkstemp failed: Permission denied' },
      /CAP_DAC_OVERRIDE/,
    ],
    [
      'rsync: [generator] mknod "/vol/tty" failed: Operation not permitted (1)',
      { path: 'tty', side: 'generator', problem: 'mknod failed: Operation not permitted' },
      /CAP_MKNOD/,
    ],
    [
      'rsync: [receiver] rsync_xal_set: lsetxattr("/vol/f","security.capability") failed: Operation not permitted (1)',
      { path: 'security.capability', side: 'receiver' },
      /CAP_SETFCAP/,
    ],
    [
      'rsync: [receiver] write failed on "/vol/big": No space left on device (28)',
      { path: 'big', side: 'receiver', problem: 'write failed on: No space left on device' },
      undefined,
    ],
    [
      'rsync: [receiver] rename "/vol/.f.x" -> "/vol/f": Is a directory (21)',
      { path: 'f', side: 'receiver' },
      undefined,
    ],
  ])('When it is %s, then the file and what is missing are known', (line, expected, needs) => {
    const failure = parseFileProblem(line, prefixes);
    expect(failure).toMatchObject(expected);
    if (needs) expect(failure?.needs).toMatch(needs);
    else expect(failure).not.toHaveProperty('needs');
  });

  test.each([
    '',
    'rsync error: some files (code 23) at main.c(1)',
    'ssh: connect to host x port 1: no',
    '"a": b (1)',
  ])('When it is %j, then it is about no file', (line) => {
    expect(parseFileProblem(line, prefixes)).toBeUndefined();
  });

  test('When names are strange, then what is kept is bounded and printable', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 5_000 }), (name) => {
        const line = `rsync: [sender] send_files failed to open "/vol/${name}": Permission denied (13)`;
        const failure = parseFileProblem(line, prefixes);
        for (const text of [failure?.path ?? '', failure?.problem ?? '']) {
          expect(text.length).toBeLessThanOrEqual(400);
          expect(/^[^\p{Cc}]*$/u.test(text)).toBe(true);
        }
      }),
    );
  });
});
