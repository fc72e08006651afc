import type { ServerRefusalCode } from '../../refusals.js';

/** Key of the volume that a request is made with. */
export type HostileKey = 'write' | 'read' | 'both' | 'keep' | 'control';

/** One request for a command, and the code with which it has to be refused. */
export interface HostileRequest {
  readonly key: HostileKey;
  readonly request: string;
  readonly code: ServerRefusalCode;
}

const row = (key: HostileKey, code: ServerRefusalCode, requests: readonly string[]): HostileRequest[] =>
  requests.map((request) => ({ key, request, code }));

const PUSH = 'rsync --server -vlogDtpre.iLsfxCIvu';
const PULL = 'rsync --server --sender -vlogDtpre.iLsfxCIvu';

/** `volume`: absolute path of the volume of all keys. */
export function hostileRequests(volume: string): HostileRequest[] {
  return [
    ...otherPrograms(volume),
    ...shellTricks(volume),
    ...brokenQuoting(volume),
    ...paths(volume),
    ...options(volume),
    ...directions(volume),
    ...overlong(volume),
  ];
}

function otherPrograms(v: string): HostileRequest[] {
  return row('both', 'NotRsync', [
    'id',
    'sh',
    '/bin/sh -i',
    'bash -c id',
    'scp -t /tmp',
    'scp -f /etc/passwd',
    'sftp-server',
    '/usr/lib/openssh/sftp-server',
    'internal-sftp',
    'cat /etc/passwd',
    'rsync',
    'rsync --version',
    'rsync --daemon',
    'rsync --daemon --server .',
    'rsync -a /etc/ /tmp/',
    'rsync --sender --server . .',
    `rsync  -e 'sh -c id' --server . ${v}`,
    `/usr/bin/rsync --server -e.LsfxCIvu . ${v}`,
    `./rsync --server -e.LsfxCIvu . ${v}`,
    `RSYNC --server -e.LsfxCIvu . ${v}`,
    `rsync2 --server -e.LsfxCIvu . ${v}`,
    'dr-syncer-control',
    `dr-syncer-rsync --write-only ${v}`,
    'dr-syncer-rsync /',
    'env PATH=/tmp rsync --server . .',
    'sudo rsync --server . .',
    'internal-sftp -R',
    'git-upload-pack x',
    'exit',
    `LD_PRELOAD=/tmp/x rsync --server . ${v}`,
  ]);
}

function shellTricks(v: string): HostileRequest[] {
  return row('both', 'ShellSyntax', [
    `${PUSH} . ${v}; id`,
    `${PUSH} . ${v};id`,
    `${PUSH} . ${v} && id`,
    `${PUSH} . ${v} || id`,
    `${PUSH} . ${v} | cat /etc/passwd`,
    `${PUSH} . ${v} > /etc/cron.d/x`,
    `${PUSH} . ${v} >> /etc/passwd`,
    `${PUSH} . ${v} < /etc/shadow`,
    `${PUSH} . ${v} 2>&1`,
    `${PUSH} . ${v} &`,
    `${PUSH} . $(id)`,
    `${PUSH} . \`id\``,
    `${PUSH} . $HOME`,
    `${PUSH} . \${HOME}`,
    `${PUSH} . ~`,
    `${PUSH} . ~root/.ssh`,
    `${PUSH} . /etc/*`,
    `${PUSH} . /etc/pass?d`,
    `${PUSH} . /etc/[p]asswd`,
    `${PUSH} . ${v}/{a,b}`,
    `(${PUSH} . ${v})`,
    `{ ${PUSH} . ${v}; }`,
    `!! ${PUSH} . ${v}`,
    `${PUSH} . ${v} #`,
    `${PULL} . <(id)`,
  ]);
}

function brokenQuoting(v: string): HostileRequest[] {
  return row('both', 'Malformed', [
    `${PUSH} . "${v}`,
    `${PUSH} . '${v}`,
    `${PUSH} . ${v}\\`,
    `${PUSH} . ${v}\nid`,
    `${PUSH} . ${v}\rid`,
    `${PUSH} . '${v}\nid'`,
    `${PUSH} . ${v}\u001b[2J`,
    `${PUSH} . ${v}\u007f`,
    `${PUSH} . "${v}\\"`,
    `${PUSH} . "$(id)"`,
    `${PUSH} . "\`id\`"`,
    `${PUSH} . "$HOME"`,
    PUSH,
    'rsync --server',
    'rsync --server --sender',
    'rsync --server --delete',
    `${PUSH} --partial-dir`,
  ]);
}

function paths(v: string): HostileRequest[] {
  const up = v.slice(0, v.lastIndexOf('/'));
  return [
    ...[PUSH, PULL].flatMap((verb) =>
      row('both', 'PathNotAllowed', [
        `${verb} . /`,
        `${verb} . /etc`,
        `${verb} . ..`,
        `${verb} . ../neighbour`,
        `${verb} . ${up}`,
        `${verb} . ${up}/neighbour`,
        `${verb} . ${v}/..`,
        `${verb} . ${v}/../neighbour`,
        `${verb} . ${v}/./../neighbour`,
        `${verb} . ${v}/sub`,
        `${verb} . ${v}/sub/..`,
        `${verb} . ${v}/to-host`,
        `${verb} . ${v}/to-root/etc`,
        `${verb} . ${v}x`,
        `${verb} . /${v}`,
        `${verb} . ${v} /etc`,
        `${verb} . . .`,
        `${verb} . ${v} ${v}`,
        `${verb} . `,
        `${verb} . ''`,
        `${verb} . ./sub`,
        `${verb} . ${v}\\ `,
        `${verb} . ${v.toUpperCase()}`,
        `${verb} . ${v}/\\.\\./neighbour`,
        `${verb} . "${v}/../neighbour"`,
        `${verb} . ${v}/.\\./neighbour`,
        `${verb} . --daemon`,
        `${verb} . -- ${v}`,
        `${verb} . host:${v}`,
        `${verb} . rsync://127.0.0.1/x`,
        `${verb} . ${v}\u2024\u2024/neighbour`,
        `${verb} . \uff0e\uff0e/neighbour`,
        `${verb} . ${v.replace('tenant', 't\u0435nant')}`,
      ]),
    ),
  ];
}

function options(v: string): HostileRequest[] {
  const notAllowed = [
    '--daemon',
    '--config=/etc/x',
    '--log-file=/etc/x',
    '--log-file /etc/x',
    '--log-file-format=%f',
    '--write-devices',
    '--copy-devices',
    '--rsh=sh',
    '--rsync-path=/bin/sh',
    '--protect-args',
    '--secluded-args',
    '--copy-unsafe-links',
    '--copy-links',
    '--copy-dirlinks',
    '--keep-dirlinks',
    '--munge-links',
    '--super',
    '--fake-super',
    '--usermap=1:0',
    '--groupmap=\\*:0',
    '--chown=0:0',
    '--copy-as=root',
    '--password-file=/etc/shadow',
    '--early-input=/etc/shadow',
    '--exclude-from=/etc/shadow',
    '--include-from=/etc/shadow',
    '--filter=:/etc/x',
    '--write-batch=/etc/x',
    '--only-write-batch=/etc/x',
    '--read-batch=/etc/x',
    '--debug=ALL',
    '--max-alloc=0',
    '--confine-root=/',
    '--no-confine-root',
    '--insecure-links',
    '--inplace',
    '--temp-dir=/tmp',
    '--temp-dir /tmp',
    '--temp-dir=../x',
    '--temp-dir=sub',
    '--temp-dir=to-host',
    '--compare-dest=/etc',
    '--compare-dest=to-host',
    '--copy-dest=/etc',
    '--copy-dest=to-host',
    '--copy-dest to-host',
    '--link-dest=/etc',
    '--link-dest=to-host',
    '--link-dest=../neighbour',
    '--link-dest ../neighbour',
    '--append',
    '--append --append',
    '--sockopts=X',
    '--address=0.0.0.0',
    '--port=1',
    '--remote-option=--daemon',
    '--stop-at=2040-01-01',
    '--trust-sender',
    '--old-args',
    '--motd',
    '--dparam=path=/',
    '--no-super',
    '--server',
    '--sender',
    '--help',
    '--version',
    '-s',
    '-L',
    '-k',
    '-K',
    '-M--daemon',
    '-e sh',
    '-esh',
    '-e',
    '-essh',
    '-e./bin/sh',
    '-T/tmp',
    '-f:/etc',
    '-0',
    '-P',
    '-F',
    '-',
    v,
    '-vlogDtpre.iLsfxC/../x',
  ];
  return [
    ...row(
      'both',
      'OptionNotAllowed',
      notAllowed.map((option) => `rsync --server -vlogDtpr ${option} . ${v}`),
    ),
    ...row(
      'both',
      'OptionValueNotAllowed',
      [
        '--partial-dir=/etc',
        '--partial-dir=sub/../../x',
        '--backup-dir=/etc',
        '--backup-dir=..',
        '--backup-dir=../neighbour',
        '--backup-dir ../neighbour',
        '--backup-dir=sub/../../neighbour',
        '--partial-dir ../neighbour',
        '--partial-dir=..',
        '--suffix=/../../x',
        '--log-format=%f',
        '--timeout=x',
        '--bwlimit=1\\;id',
        '--max-delete=x',
        '--compress-choice=../x',
        '--iconv=./x,utf8',
        '--delete=yes',
        '--info=x%n',
        '-B99999999999',
      ].map((option) => `rsync --server -vlogDtpr ${option} . ${v}`),
    ),
    ...row('both', 'OptionValueNotAllowed', [
      `rsync --server --sender -vlogDtpr --files-from=/etc/passwd . ${v}`,
      `rsync --server --sender -vlogDtpr --files-from /etc/passwd . ${v}`,
      `rsync --server --sender -vlogDtpr --files-from=./x . ${v}`,
    ]),
    ...row('both', 'OptionNotAllowed', [
      `rsync --server -vlogDtpr --files-from=- . ${v}`,
      `rsync --server --sender -vlogDtpr --delete . ${v}`,
      `rsync --server --sender -vlogDtpr --partial-dir=x . ${v}`,
      `rsync --server --sender -vlogDtprb . ${v}`,
    ]),
  ];
}

function directions(v: string): HostileRequest[] {
  return [
    ...row('write', 'DirectionNotAllowed', [
      `${PULL} . ${v}`,
      `${PULL} --list-only . ${v}`,
      `${PULL} . /etc`,
    ]),
    ...row('read', 'DirectionNotAllowed', [`${PUSH} . ${v}`, `${PUSH} --delete . ${v}`, `${PUSH} . /etc`]),
    ...row('keep', 'DeleteNotAllowed', [
      `${PUSH} --delete . ${v}`,
      `${PUSH} --delete-before . ${v}`,
      `${PUSH} --delete-during . ${v}`,
      `${PUSH} --delete-delay . ${v}`,
      `${PUSH} --delete-after . ${v}`,
      `${PUSH} --delete-excluded . ${v}`,
      `${PUSH} --delete-missing-args . ${v}`,
      `${PUSH} --force . ${v}`,
      `${PULL} --remove-source-files . ${v}`,
      `${PULL} --remove-sent-files . ${v}`,
    ]),
    ...row('read', 'DeleteNotAllowed', [`${PULL} --remove-source-files . ${v}`]),
  ];
}

function overlong(v: string): HostileRequest[] {
  return row('both', 'TooLong', [
    `${PUSH} . ${'x'.repeat(20_000)}`,
    `${PUSH} . ${'../'.repeat(10_000)}`,
    `${PUSH} ${'--numeric-ids '.repeat(500)} . ${v}`,
    `${PUSH} --suffix=${'\u00e9'.repeat(10_000)} . ${v}`,
    'a'.repeat(30_000),
    ' x'.repeat(5_000),
  ]);
}
