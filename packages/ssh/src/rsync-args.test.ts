import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RequestRefused } from './refusals.js';
import { parseRsyncServerArgs, type RsyncPolicy, type RsyncServerRequest } from './rsync-args.js';
import { tokenizeCommand } from './tokenizer.js';

const all: RsyncPolicy = { direction: 'both', allowDelete: true, allowDevices: true, path: '/d' };
const write: RsyncPolicy = { ...all, direction: 'write' };
const read: RsyncPolicy = { ...all, direction: 'read' };

function parse(text: string, policy = all): RsyncServerRequest {
  return parseRsyncServerArgs(tokenizeCommand(text), policy);
}

function outcome(text: string, policy = all): string {
  try {
    return parse(text, policy).argv.join(' ');
  } catch (err) {
    if (err instanceof RequestRefused) return err.code;
    throw err;
  }
}

describe('Given command lines captured from rsync 3.2.7 and 3.5.0', () => {
  test.each([
    [
      'rsync --server -lHogDtpAXrSe.iLsfxCIvu --delete --stats -@-1 --partial-dir .dr-syncer-partial --numeric-ids . /d',
      '--server -lHogDtpAXrSe.iLsfxCIvu --delete --stats -@-1 --partial-dir=.dr-syncer-partial --numeric-ids . /d',
    ],
    [
      'rsync --server -lOHDtAXrcSe.iLsfxCIvu --timeout=30 --bwlimit=100 --max-delete=5 --delete-delay --numeric-ids . /d',
      '--server -lOHDtAXrcSe.iLsfxCIvu --timeout=30 --bwlimit=100 --max-delete=5 --delete-delay --numeric-ids . /d',
    ],
    ['rsync --server -vlogDtprze.iLsfxCIvu --delete . /d/', '--server -vlogDtprze.iLsfxCIvu --delete . /d'],
    ['rsync --server --sender -vlogDtprze.iLsfxCIvu . /d/', '--server --sender -vlogDtprze.iLsfxCIvu . /d'],
    [
      'rsync --server --sender -logDtpRe.LsfxCIvu --files-from=- --from0 . /d',
      '--server --sender -logDtpRe.LsfxCIvu --files-from=- --from0 . /d',
    ],
    [
      'rsync --server --sender -de.LsfxCIvu --list-only . /d/',
      '--server --sender -de.LsfxCIvu --list-only . /d',
    ],
    [
      'rsync --server -blogDtpre.LsfxCIvu -B131072 --backup-dir .b --suffix=~ --size-only --partial-dir .t\\ mp . /d',
      '--server -blogDtpre.LsfxCIvu -B131072 --backup-dir=.b --suffix=~ --size-only --partial-dir=.t mp . /d',
    ],
    [
      'rsync --server -nlyogDtpre.iLsfxCIvu --log-format=%i --max-size=1073741824 --delete-after --force --ignore-errors . .',
      '--server -nlyogDtpre.iLsfxCIvu --log-format=%i --max-size=1073741824 --delete-after --force --ignore-errors . /d',
    ],
    [
      'rsync --server -logDtUpAXXre.iLsfxCIvu --log-format=X --info=DEL,NAME2,SKIP0 . /d/.',
      '--server -logDtUpAXXre.iLsfxCIvu --log-format=X --info=DEL,NAME2,SKIP0 . /d',
    ],
    [
      'rsync --server --sender -lHogDtpAXrSe.iLsfxCIvu --iconv=latin1 --numeric-ids . /d/',
      '--server --sender -lHogDtpAXrSe.iLsfxCIvu --iconv=latin1 --numeric-ids . /d',
    ],
    ['rsync --server -logDtpr . /d', '--server -logDtpr . /d'],
    ['rsync --server -logDtpre32.1iLsfx . /d', '--server -logDtpre32.1iLsfx . /d'],
  ])('When %s is asked Then %s is run', (asked, run) => {
    expect(outcome(asked)).toBe(run);
  });
});

describe('Given the rsync that is installed', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'rsync-args-'));
    mkdirSync(join(dir, 'src'));
    writeFileSync(join(dir, 'list'), 'a\n');
    writeFileSync(join(dir, 'rsh'), `#!/bin/sh\nshift\nprintf '%s' "$*" > "${dir}/asked"\nexit 1\n`);
    chmodSync(join(dir, 'rsh'), 0o700);
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  /** What the client would have had the remote shell run. */
  function asked(...args: string[]): string {
    rmSync(join(dir, 'asked'), { force: true });
    const run = spawnSync('rsync', ['-e', './rsh', ...args], { cwd: dir, env: { PATH: '/usr/bin:/bin' } });
    if (!existsSync(join(dir, 'asked'))) throw new Error(run.stderr.toString());
    return readFileSync(join(dir, 'asked'), 'utf8');
  }

  const product = [
    '-aHAXS',
    '--numeric-ids',
    '--partial-dir=.dr-syncer-partial',
    '--modify-window=-1',
    '--stats',
  ];
  const whole = ['-aHAXS', '--whole-file', '--fsync', '--preallocate', '--out-format=%i %n'];
  test.each([
    [[...product, '--delete', '--info=progress2', '--filter=-x trusted.*', '--exclude=/a b*']],
    [[...product, '--delete-delay', '--max-delete=100', '--info=progress2,stats2,name0']],
    [[...product, '--checksum', '--bwlimit=1000', '--timeout=60', '--no-secluded-args']],
    [[...product, '--no-devices', '--specials', '--no-owner', '--no-group', '--chmod=ug+rwX,Dg+s']],
    [[...product, '--no-perms', '--no-acls', '--omit-dir-times', '--omit-link-times', '--dry-run']],
    [whole],
    [['-avz', '--delete', '--ignore-errors']],
    [['-avvv', '--compress-choice=zstd', '--compress-level=3', '--checksum-choice=xxh3,md5']],
    [['-a', '--protocol=29']],
    [['-a', '--delete-excluded', '--ignore-existing', '--existing', '--fuzzy', '--delay-updates']],
    [['-a', '--partial-dir=.tmp dir', '--backup', '--backup-dir=old/prev [1]']],
  ])('When a push with %j is asked Then it passes', (options) => {
    const request = parse(asked(...options, 'src/', 'h:/d/'), write);
    expect(request.sender).toBe(false);
    expect(request.argv.slice(-2)).toEqual(['.', '/d']);
  });

  test.each([
    [['-aHAXS', '--numeric-ids', '--info=progress2']],
    [['-avz', '--delete']],
    [['--list-only']],
    [['-a', '--files-from=list']],
    [['-a', '--skip-compress=gz/mp[34]', '-z', '--checksum', '--bwlimit=5m', '--ignore-missing-args']],
  ])('When a pull with %j is asked Then it passes', (options) => {
    expect(parse(asked(...options, 'h:/d/', 'dst/'), read).sender).toBe(true);
  });

  test.each([
    [['-a', '--delete'], { ...write, allowDelete: false }, 'DeleteNotAllowed'],
    [['-a', '--delete-after', '--force'], { ...write, allowDelete: false }, 'DeleteNotAllowed'],
    [['-a', '--force'], { ...write, allowDelete: false }, 'DeleteNotAllowed'],
    [['-a', '--remove-source-files'], { ...write, allowDelete: false }, 'DeleteNotAllowed'],
    [['-a'], read, 'DirectionNotAllowed'],
    [['-a', '-s'], write, 'OptionNotAllowed'],
    [['-a', '-K'], write, 'OptionNotAllowed'],
    [['-a', '-M--super'], write, 'OptionNotAllowed'],
    [['-a', '-M--fake-super'], write, 'OptionNotAllowed'],
    [['-a', '-M--log-file=/x'], write, 'OptionNotAllowed'],
    [['-a', '--chown=0:0'], write, 'OptionNotAllowed'],
    [['-a', '--usermap=*:0'], write, 'OptionNotAllowed'],
    [['-a', '--write-devices'], write, 'OptionNotAllowed'],
    [['-a', '--inplace'], write, 'OptionNotAllowed'],
    [['-a', '--append'], write, 'OptionNotAllowed'],
    [['-a', '--append-verify'], write, 'OptionNotAllowed'],
    [['-a', '--copy-unsafe-links'], write, 'OptionNotAllowed'],
    [['-a', '-M--confine-root=/'], write, 'OptionNotAllowed'],
    [['-a', '-M--insecure-links'], write, 'OptionNotAllowed'],
    [['-a', '-M--debug=all'], write, 'OptionNotAllowed'],
    [['-a', '--max-alloc=0'], write, 'OptionNotAllowed'],
    [['-a', '--temp-dir=/tmp'], write, 'OptionNotAllowed'],
    [['-a', '--temp-dir=x'], write, 'OptionNotAllowed'],
    [['-a', '--partial-dir=/tmp/x'], write, 'OptionValueNotAllowed'],
    [['-a', '--backup', '--backup-dir=a/../../b'], write, 'OptionValueNotAllowed'],
    [['-a', '--link-dest=/etc'], write, 'OptionNotAllowed'],
    [['-a', '--link-dest=prev'], write, 'OptionNotAllowed'],
    [['-a', '--compare-dest=other'], write, 'OptionNotAllowed'],
    [['-a', '--copy-dest=..'], write, 'OptionNotAllowed'],
    [['-a', '--copy-dest=other'], write, 'OptionNotAllowed'],
  ])('When a push with %j is asked Then it is refused', (options, policy, code) => {
    expect(outcome(asked(...options, 'src/', 'h:/d'), policy)).toBe(code);
  });

  test.each([
    [['-a'], write, 'DirectionNotAllowed'],
    [['-a', '--remove-source-files'], read, 'DeleteNotAllowed'],
    [['-aL'], read, 'OptionNotAllowed'],
    [['-ak'], read, 'OptionNotAllowed'],
    [['-a', '--copy-devices'], read, 'OptionNotAllowed'],
    [['-a', '--files-from=:/etc/passwd'], read, 'OptionValueNotAllowed'],
    [['-a', '-M--delete'], read, 'OptionNotAllowed'],
    [['-a', '-M--partial-dir=x'], read, 'OptionNotAllowed'],
    [['-a'], read, 'PathNotAllowed'],
    [['-aR'], read, 'PathNotAllowed'],
  ])('When a pull with %j is asked Then it is refused', (options, policy, code) => {
    expect(outcome(asked(...options, 'h:/d', 'dst/'), policy)).toBe(code);
  });

  test.each(['/', '/etc', '/d/..', '/d/../etc', '/d/sub', '/d2', 'd', '/D', '//d', '/d/./', '/d/ ', '/dd/'])(
    'When a push to %j is asked Then the path is refused',
    (path) => {
      expect(outcome(asked('-a', 'src/', `h:${path}`), write)).toBe('PathNotAllowed');
    },
  );

  test('When it is a newer client than 3.2.7 Then nothing it sends by default is unknown', () => {
    expect(outcome(asked('-a', 'src/', 'h:/d'), write)).toBe('--server -logDtpre.iLsfxCIvu . /d');
  });
});

describe('Given requests that no rsync client writes', () => {
  test.each([
    ['', 'NotRsync'],
    ['sh -c id', 'NotRsync'],
    ['rsync', 'NotRsync'],
    ['/usr/bin/rsync --server . /d', 'NotRsync'],
    ['rsync --sender --server . /d', 'NotRsync'],
    ['rsync -a --server . /d', 'NotRsync'],
    ['rsyncx --server . /d', 'NotRsync'],
    ['rsync --server', 'Malformed'],
    ['rsync --server -a', 'OptionNotAllowed'],
    ['rsync --server -l', 'Malformed'],
    ['rsync --server .', 'PathNotAllowed'],
    ['rsync --server . /d /d', 'PathNotAllowed'],
    ['rsync --server . /d /etc', 'PathNotAllowed'],
    ['rsync --server . --delete /d', 'PathNotAllowed'],
    ['rsync --server -- . /d', 'OptionNotAllowed'],
    ['rsync --server -l --sender . /d', 'OptionNotAllowed'],
    ['rsync --server --server . /d', 'OptionNotAllowed'],
    ['rsync --server --daemon . /d', 'OptionNotAllowed'],
    ['rsync --server --inplace . /d', 'OptionNotAllowed'],
    ['rsync --server --append --append . /d', 'OptionNotAllowed'],
    ['rsync --server --sender --inplace . /d', 'OptionNotAllowed'],
    ['rsync --server --append-verify . /d', 'OptionNotAllowed'],
    ['rsync --server --daemon --config=/d/c .', 'OptionNotAllowed'],
    ['rsync --server --config /d/c . /d', 'OptionNotAllowed'],
    ['rsync --server -e sh . /d', 'OptionNotAllowed'],
    ['rsync --server -esh . /d', 'OptionNotAllowed'],
    ['rsync --server -le/bin/sh . /d', 'OptionNotAllowed'],
    ['rsync --server -le.i -le./x . /d', 'OptionNotAllowed'],
    ['rsync --server -le.iL/../x . /d', 'OptionNotAllowed'],
    ['rsync --server --rsh=sh . /d', 'OptionNotAllowed'],
    ['rsync --server --rsync-path=sh . /d', 'OptionNotAllowed'],
    ['rsync --server -s . /d', 'OptionNotAllowed'],
    ['rsync --server -slogDtpre.iLsfxCIvu', 'OptionNotAllowed'],
    ['rsync --server --secluded-args . /d', 'OptionNotAllowed'],
    ['rsync --server --protect-args . /d', 'OptionNotAllowed'],
    ['rsync --server -T/tmp . /d', 'OptionNotAllowed'],
    ['rsync --server -T /tmp . /d', 'OptionNotAllowed'],
    ['rsync --server -f-_* . /d', 'ShellSyntax'],
    ['rsync --server -M--x . /d', 'OptionNotAllowed'],
    ['rsync --server --del . /d', 'OptionNotAllowed'],
    ['rsync --server --delet . /d', 'OptionNotAllowed'],
    ['rsync --server --DELETE . /d', 'OptionNotAllowed'],
    ['rsync --server --delete=yes . /d', 'OptionValueNotAllowed'],
    ['rsync --server --delete= . /d', 'OptionValueNotAllowed'],
    ['rsync --server --files-from - . /d', 'OptionNotAllowed'],
    ['rsync --server --sender --files-from . /d', 'OptionValueNotAllowed'],
    ['rsync --server --sender --files-from=/etc/passwd . /d', 'OptionValueNotAllowed'],
    ['rsync --server --partial-dir', 'Malformed'],
    ['rsync --server --partial-dir . /d', 'OptionValueNotAllowed'],
    ['rsync --server --partial-dir= . /d', 'OptionValueNotAllowed'],
    ['rsync --server --partial-dir=./x . /d', 'OptionValueNotAllowed'],
    ['rsync --server --partial-dir=x/ . /d', 'OptionValueNotAllowed'],
    ['rsync --server --partial-dir=x//y . /d', 'OptionValueNotAllowed'],
    ['rsync --server --suffix=/../x . /d', 'OptionValueNotAllowed'],
    ['rsync --server --log-file=/d/l . /d', 'OptionNotAllowed'],
    ['rsync --server --log-format=%f . /d', 'OptionValueNotAllowed'],
    ['rsync --server --out-format=%f . /d', 'OptionNotAllowed'],
    ['rsync --server --bwlimit=1k . /d', 'OptionValueNotAllowed'],
    ['rsync --server --bwlimit=-1 . /d', 'OptionValueNotAllowed'],
    ['rsync --server --timeout=x . /d', 'OptionValueNotAllowed'],
    ['rsync --server --info=help . /d /e', 'PathNotAllowed'],
    ['rsync --server --no-super . /d', 'OptionNotAllowed'],
    ['rsync --server --no-drop-D . /d', 'OptionNotAllowed'],
    ['rsync --server --stop-at=1 . /d', 'OptionNotAllowed'],
    ['rsync --server --read-batch=x . /d', 'OptionNotAllowed'],
    ['rsync --server --write-batch=x . /d', 'OptionNotAllowed'],
    ['rsync --server --only-write-batch=X . /d', 'OptionNotAllowed'],
    ['rsync --server --password-file=/x . /d', 'OptionNotAllowed'],
    ['rsync --server --early-input=/x . /d', 'OptionNotAllowed'],
    ['rsync --server --exclude-from=/etc/passwd . /d', 'OptionNotAllowed'],
    ['rsync --server --include-from=/etc/passwd . /d', 'OptionNotAllowed'],
    ['rsync --server --filter=merge . /d', 'OptionNotAllowed'],
    ['rsync --server --checksum-choice=x/y . /d', 'OptionValueNotAllowed'],
    ['rsync --server -B0x1 . /d', 'OptionValueNotAllowed'],
    ['rsync --server -B . /d', 'OptionValueNotAllowed'],
    ['rsync --server -@1;x . /d', 'ShellSyntax'],
    ['rsync --server - . /d', 'OptionNotAllowed'],
    ['rsync --server "" . /d', 'OptionNotAllowed'],
    ['rsync --server /etc . /d', 'OptionNotAllowed'],
    ['rsync --server constructor . /d', 'OptionNotAllowed'],
    ['rsync --server --constructor . /d', 'OptionNotAllowed'],
    ['rsync --server --__proto__ . /d', 'OptionNotAllowed'],
    [`rsync --server -${'v'.repeat(64)} . /d`, 'OptionNotAllowed'],
    [`rsync --server --partial-dir=${'x'.repeat(4096)} . /d`, 'TooLong'],
    ['rsync --server -ü . /d', 'OptionNotAllowed'],
  ])('When %s is asked Then the code is %s', (asked, code) => {
    expect(outcome(asked)).toBe(code);
  });

  test('When words hold control characters or are too many Then they are refused without the tokenizer too', () => {
    const ask = (argv: string[]) => () => parseRsyncServerArgs(argv, all);
    expect(ask(['rsync', '--server', '--partial-dir=a\nb', '.', '/d'])).toThrow(RequestRefused);
    expect(ask(['rsync', '--server', '.', '/d\0'])).toThrow(RequestRefused);
    expect(ask(['rsync', '--server', ...Array.from({ length: 130 }, () => '-v'), '.', '/d'])).toThrow(
      RequestRefused,
    );
  });
});

describe('Given a key that may not make devices', () => {
  const policy: RsyncPolicy = { ...write, allowDevices: false };
  test.each([
    ['rsync --server -logDtpre.iLsfxCIvu . /d', '--server -logDtpre.iLsfxCIvu --drop-D . /d'],
    ['rsync --server -logtpre.iDDD --specials . /d', '--server -logtpre.iDDD --specials . /d'],
    ['rsync --server --partial-dir=-D . /d', '--server --partial-dir=-D . /d'],
  ])('When %s is asked Then %s is run', (asked, run) => {
    expect(outcome(asked, policy)).toBe(run);
  });

  test('When it reads Then nothing is dropped', () => {
    expect(outcome('rsync --server --sender -logDtpr . /d', { ...policy, direction: 'read' })).not.toContain(
      'drop',
    );
  });
});
