import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RequestRefused } from './refusals.js';
import { parseRsyncServerArgs, type RsyncPolicy, type RsyncServerRequest } from './rsync-args.js';
import { longOptions } from './rsync-options.js';
import { tokenizeCommand } from './tokenizer.js';

const all: RsyncPolicy = { direction: 'both', allowDelete: true, allowDevices: true, path: '/d' };
const write: RsyncPolicy = { ...all, direction: 'write' };
const read: RsyncPolicy = { ...all, direction: 'read' };

/** What is run, or the code of the refusal. */
function outcome(text: string, policy = all): string {
  try {
    return parseRsyncServerArgs(tokenizeCommand(text), policy).argv.join(' ');
  } catch (err) {
    if (err instanceof RequestRefused) return err.code;
    throw err;
  }
}

describe('Given what rrsync(1) refuses', () => {
  /** Its tables (`short_disabled`, `short_disabled_subdir`, `long_opts` with -1) and its words on arguments. */
  const refused = [
    ...['-s', '-L', '-k', '-K', '-logDtprs', '-Le.iLsfxCIvu', '-rK'],
    ...['--copy-devices', '--daemon', '--debug=ALL', '--no-munge-links', '--write-devices'],
    ...['--copy-links', '--copy-dirlinks', '--keep-dirlinks', '--protect-args', '--secluded-args'],
    // "Validates the path arguments it is sent": outside of the directory, or with dot-dot in any place.
    ...[
      'backup-dir',
      'compare-dest',
      'copy-dest',
      'files-from',
      'link-dest',
      'log-file',
      'partial-dir',
      'temp-dir',
    ].flatMap((name) =>
      ['/etc', '..', '../x', 'a/../../x', 'a/..', '/d/../etc'].map((at) => `--${name}=${at}`),
    ),
    // "Accepts just a subset of rsync's options."
    ...[
      '--rsync-path=x',
      '--rsh=x',
      '--config=x',
      '--password-file=x',
      '--read-batch=x',
      '--remote-option=x',
    ],
  ];
  const allowed = [
    '-logDtpre.iLsfxCIvu',
    '--delete',
    '--numeric-ids',
    '--partial-dir=.p',
    '--stats',
    '-B700',
    '-v',
  ];

  test('When any of it is among what is allowed, wherever it stands, Then all is refused', () => {
    fc.assert(
      fc.property(
        fc.subarray(allowed),
        fc.constantFrom(...refused),
        fc.nat({ max: 7 }),
        fc.constantFrom(all, write),
        (words, one, at, policy) => {
          const mixed = [...words.slice(0, at), one, ...words.slice(at)];
          expect(outcome(`rsync --server ${words.join(' ')} . /d`, policy)).toMatch(/^--server/);
          expect(outcome(`rsync --server ${mixed.join(' ')} . /d`, policy)).toMatch(
            /^Option(Value)?NotAllowed$/,
          );
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('When -no-del, -ro or -wo would refuse it Then the grant does', () => {
    const deletes = [
      '--delete',
      '--delete-before',
      '--delete-excluded',
      '--remove-source-files',
      '--remove-sent-files',
    ];
    for (const option of deletes) {
      expect(outcome(`rsync --server ${option} . /d`, { ...write, allowDelete: false })).toBe(
        'DeleteNotAllowed',
      );
      expect(outcome(`rsync --server --sender ${option} . .`, read)).not.toMatch(/^--server/);
    }
    expect(outcome('rsync --server . /d', read)).toBe('DirectionNotAllowed');
    expect(outcome('rsync --server --sender . .', write)).toBe('DirectionNotAllowed');
  });
});

describe('Given any words', () => {
  const pieces = [
    ...[
      'rsync',
      '--server',
      '--sender',
      '.',
      '/d',
      '/d/',
      '/etc',
      '..',
      '-',
      '--',
      '-logDtpre.iLsfxCIvu',
      '-s',
      '-e',
    ],
    ...[
      '-L',
      '-@-1',
      '-B1',
      '--files-from=-',
      '--config',
      '--daemon',
      '--log-file=/x',
      '',
      ' ',
      '-vvn',
      '../../x',
    ],
    ...[...longOptions.keys()].flatMap((name) => [`--${name}`, `--${name}=`, `--${name}=/x`, `--${name}=1`]),
  ];
  const words = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 8 })), { maxLength: 8 });
  const policies = fc.record({
    direction: fc.constantFrom('read' as const, 'write' as const, 'both' as const),
    allowDelete: fc.boolean(),
    allowDevices: fc.boolean(),
    path: fc.constant('/d'),
  });

  test('When they are asked Then they are refused with a typed error or are inside the policy', () => {
    let accepted = 0;
    fc.assert(
      fc.property(words, fc.boolean(), policies, (some, sender, policy) => {
        const asked = ['rsync', '--server', ...(sender ? ['--sender'] : []), ...some, '.', '.'];
        let request: RsyncServerRequest;
        try {
          request = parseRsyncServerArgs(asked, policy);
        } catch (err) {
          expect(err).toBeInstanceOf(RequestRefused);
          return;
        }
        accepted++;
        expectInsidePolicy(request, policy);
        // What is run is accepted again: the canonical form is in the grammar (but for what is added here).
        const again = request.argv.slice(0, -1).filter((word) => word !== '--drop-D');
        expect(parseRsyncServerArgs(['rsync', ...again, '.'], policy).argv).toEqual(request.argv);
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  function expectInsidePolicy({ argv, sender, path }: RsyncServerRequest, policy: RsyncPolicy): void {
    const options = argv.slice(1, -2);
    expect(argv[0]).toBe('--server');
    expect(argv.slice(-2)).toEqual(['.', policy.path]);
    expect(path).toBe(policy.path);
    expect(policy.direction).not.toBe(sender ? 'write' : 'read');
    expect(options.every((option) => option.startsWith('-') && option !== '-' && option !== '--')).toBe(true);
    expect(options.filter((option) => /^-[^-]*[sLKk]/.test(option.replace(/e.*$/, '')))).toEqual([]);
    expect(
      options.filter((option) => /^[^=]*=(\/|.*\.\.)/.test(option) && !option.startsWith('--s')),
    ).toEqual([]);
    if (!policy.allowDelete)
      expect(
        options
          // The name alone: a directory may be called like an option.
          .filter((option) => /^[^=]*(delete(?!d)|remove|force)/.test(option))
          .filter((option) => !option.startsWith('--max-delete')),
      ).toEqual([]);
  }
});
