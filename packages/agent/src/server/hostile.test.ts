import { mkdir, mkdtemp, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import { verifyChain } from '../audit/chain.js';
import { sshLimitsSchema } from '@dr-syncer/ssh';
import {
  makeWorkbench,
  rsh,
  sshOptions,
  startServer,
  type TestKey,
  type TestServer,
  type Workbench,
} from './testing/fixture.js';
import { checksum, type HostileTree, plantTree, SECRET } from './testing/hostile/canary.js';
import { type HostileKey, type HostileRequest, hostileRequests } from './testing/hostile/requests.js';
import { type Ran, run, type RunOptions } from './testing/process.js';
import { exec, login } from './testing/raw-client.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

let bench: Workbench;
let tree: HostileTree;
let server: TestServer;
let keys: Record<HostileKey, TestKey>;
let before: string;
/** All that any client of the suite has been told. */
const heard: string[] = [];
let requests = 0;

beforeAll(async () => {
  bench = await makeWorkbench();
  tree = await plantTree(join(bench.dir, 'tree'));
  keys = {
    write: await bench.key('write'),
    read: await bench.key('read'),
    both: await bench.key('both'),
    keep: await bench.key('keep'),
    control: await bench.key('control'),
  };
  const line = (options: string, key: TestKey) =>
    `restrict,command="dr-syncer-rsync ${options}${tree.volume}" ${key.line}`;
  server = await startServer(bench, {
    volumesRoot: join(bench.dir, 'tree/volumes'),
    // So many logins from one address in so short a time are a limit's business, not this suite's.
    limits: sshLimitsSchema.parse({
      handshakes: { perSecond: 1000, burst: 1000 },
      handshakesPerSource: { perSecond: 1000, burst: 1000 },
    }),
    authorizedKeys: [
      line('--write-only ', keys.write),
      line('--read-only ', keys.read),
      line('', keys.both),
      line('--no-delete ', keys.keep),
      `restrict,command="dr-syncer-control" ${keys.control.line}`,
    ].join('\n'),
  });
  before = await checksum(tree.outside);
});

afterAll(async () => {
  await server.stop();
  await bench.remove();
});

async function ask(program: string, args: readonly string[], options?: RunOptions): Promise<Ran> {
  requests += 1;
  const ran = await run(program, args, options);
  heard.push(ran.stdout, ran.stderr);
  return ran;
}

const ssh = (key: HostileKey, args: readonly string[], extra: readonly string[] = []) =>
  ask('ssh', [...sshOptions(server.port, keys[key].file, extra), 'drsyncer@127.0.0.1', ...args]);

const rsync = (key: HostileKey, args: readonly string[]) =>
  ask('rsync', ['-e', rsh(server.port, keys[key].file), ...args]);
const remote = () => `drsyncer@127.0.0.1:${tree.volume}`;

describe('Given a logged-in client that asks for commands', () => {
  test('When OpenSSH asks for each of the table, then each is refused with its code', async () => {
    const table = hostileRequests(tree.volume);
    const wrong: unknown[] = [];
    const work = [...table];
    const worker = async () => {
      for (let next = work.shift(); next !== undefined; next = work.shift()) await one(next);
    };
    const one = async ({ key, request, code }: HostileRequest) => {
      const { code: exit, stderr } = await ssh(key, [request]);
      const got = /dr-syncer: refused: (\w+)/.exec(stderr)?.[1] ?? stderr;
      if (got !== code || exit !== 77) wrong.push({ request: request.slice(0, 120), code, got, exit });
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    expect(wrong).toEqual([]);
    expect(table.length).toBeGreaterThan(150);
  }, 60_000);

  test.each<[string, string, string]>([
    ['a NUL in the path', 'Malformed', 'rsync --server -e.LsfxCIvu . /volume\0/etc'],
    ['a NUL at the end', 'Malformed', 'rsync --server -e.LsfxCIvu . .\0'],
    ['nothing', 'NotRsync', ''],
    ['blanks', 'NotRsync', '   '],
    ['half a surrogate pair', 'Malformed', 'rsync --server -e.LsfxCIvu . \ud800'],
    ['as much as a packet holds', 'TooLong', 'rsync '.padEnd(32_000, 'x')],
  ])('When a raw client asks with %s, then the code is %s', async (_name, code, request) => {
    requests += 1;
    const client = await login({ port: server.port, keyFile: keys.both.file });
    const channel = await exec(client, request);
    let stderr = '';
    channel.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    channel.resume();
    await new Promise((resolve) => channel.once('close', resolve));
    client.end();
    expect(stderr).toContain(`refused: ${code}`);
  });

  test('When a request does not even fit into a packet, then the connection ends', async () => {
    const { code, stderr } = await ssh('both', ['x'.repeat(120_000)]);
    expect({ code, stderr }).toMatchObject({ code: 255, stderr: expect.stringContaining('disconnect') });
  });

  test('When the control protocol is asked of the stand-alone server, then there is none', async () => {
    expect((await ssh('control', ['dr-syncer-control'])).stderr).toContain('ControlNotAvailable');
    expect((await ssh('control', ['id'])).stderr).toContain('ControlOnly');
  });
});

describe('Given the real rsync client with options of its own', () => {
  const cases: [string, HostileKey, (local: string) => string[], string][] = [
    ['--rsync-path', 'both', (l) => ['-a', '--rsync-path=sh -c id;', `${remote()}/`, l], 'ShellSyntax'],
    [
      '--rsync-path to another program',
      'both',
      (l) => ['-a', '--rsync-path=/bin/sh', `${remote()}/`, l],
      'NotRsync',
    ],
    ['-M--log-file', 'both', (l) => ['-a', '-M--log-file=/tmp/x', `${remote()}/`, l], 'OptionNotAllowed'],
    ['-M--daemon', 'both', (l) => ['-a', '-M--daemon', `${remote()}/`, l], 'OptionNotAllowed'],
    ['-M--fake-super', 'both', (l) => ['-a', '-M--fake-super', `${l}/`, `${remote()}/`], 'OptionNotAllowed'],
    ['-L', 'read', (l) => ['-aL', `${remote()}/`, l], 'OptionNotAllowed'],
    [
      '--copy-unsafe-links',
      'read',
      (l) => ['-a', '--copy-unsafe-links', `${remote()}/`, l],
      'OptionNotAllowed',
    ],
    ['-k', 'read', (l) => ['-ak', `${remote()}/`, l], 'OptionNotAllowed'],
    ['-K', 'write', (l) => ['-aK', `${l}/`, `${remote()}/`], 'OptionNotAllowed'],
    ['--inplace', 'write', (l) => ['-a', '--inplace', `${l}/`, `${remote()}/`], 'OptionNotAllowed'],
    [
      '--append-verify',
      'write',
      (l) => ['-a', '--append-verify', `${l}/`, `${remote()}/`],
      'OptionNotAllowed',
    ],
    ['--secluded-args', 'both', (l) => ['-as', `${l}/`, `${remote()}/`], 'OptionNotAllowed'],
    [
      '--write-devices',
      'write',
      (l) => ['-a', '--write-devices', `${l}/`, `${remote()}/`],
      'OptionNotAllowed',
    ],
    ['--copy-devices', 'read', (l) => ['-a', '--copy-devices', `${remote()}/`, l], 'OptionNotAllowed'],
    ['--temp-dir', 'write', (l) => ['-a', '--temp-dir=/tmp', `${l}/`, `${remote()}/`], 'OptionNotAllowed'],
    ['--link-dest', 'write', (l) => ['-a', `--link-dest=${l}`, `${l}/`, `${remote()}/`], 'OptionNotAllowed'],
    [
      '--backup-dir',
      'write',
      (l) => ['-ab', '--backup-dir=/tmp', `${l}/`, `${remote()}/`],
      'OptionValueNotAllowed',
    ],
    [
      '--files-from on the server',
      'read',
      (l) => ['-a', '--files-from=:/etc/passwd', `${remote()}/`, l],
      'OptionValueNotAllowed',
    ],
    [
      '--delete without the right',
      'keep',
      (l) => ['-a', '--delete', `${l}/`, `${remote()}/`],
      'DeleteNotAllowed',
    ],
    ['--chown', 'write', (l) => ['-a', '--chown=0:0', `${l}/`, `${remote()}/`], 'OptionNotAllowed'],
    ['a path above', 'both', (l) => ['-a', `${remote()}/../neighbour/`, l], 'PathNotAllowed'],
    ['a path through a link', 'both', (l) => ['-a', `${remote()}/to-host/`, l], 'PathNotAllowed'],
    ['an absolute path', 'both', (l) => ['-a', 'drsyncer@127.0.0.1:/etc/passwd', l], 'PathNotAllowed'],
    ['two paths', 'both', (l) => ['-a', `${remote()}/`, ':/etc/passwd', l], 'PathNotAllowed'],
    ['pull with a write key', 'write', (l) => ['-a', `${remote()}/`, l], 'DirectionNotAllowed'],
    ['push with a read key', 'read', (l) => ['-a', `${l}/`, `${remote()}/`], 'DirectionNotAllowed'],
    ['a listing with a write key', 'write', () => ['--list-only', `${remote()}/`], 'DirectionNotAllowed'],
  ];

  test.each(cases)('When it says %s, then it is refused', async (_name, key, args, code) => {
    const local = join(bench.dir, 'local');
    await mkdir(local, { recursive: true });
    const { code: exit, stderr } = await rsync(key, args(local));
    expect(stderr).toContain(`refused: ${code}`);
    expect(exit).not.toBe(0);
  });
});

describe('Given requests that are allowed and a volume full of links', () => {
  test('When everything is pulled, then links come as links and nothing behind them', async () => {
    const pulled = join(bench.dir, 'pulled');
    expect((await rsync('read', ['-a', `${remote()}/`, pulled])).code).toBe(0);
    const contents = await run('grep', ['-r', SECRET, pulled]);
    expect(contents.code).toBe(1);
  });

  test.each([
    ['names a file behind a link', ['to-host/secret', 'to-host/etc/secret', 'sub/to-neighbour/secret']],
    ['names what is above', ['../neighbour/secret', '/../neighbour/secret', 'sub/../../neighbour/secret']],
    ['names absolute paths', ['/etc/hostname', '//etc/hostname']],
  ])('When the list of files (--files-from) %s, then nothing of it comes', async (_name, names) => {
    const pulled = join(bench.dir, 'pulled-list');
    await rm(pulled, { recursive: true, force: true });
    const list = join(bench.dir, 'list');
    await writeFile(list, `${names.join('\n')}\n`);
    await rsync('read', ['-a', `--files-from=${list}`, `${remote()}/`, pulled]);
    const contents = await run('grep', ['-rs', SECRET, pulled]);
    expect(contents.stdout).toBe('');
  });

  test.each([
    ': /../neighbour/secret',
    ': /../../host/secret',
    'dir-merge to-host/secret',
    ': to-host/secret',
    'dir-merge,- /../neighbour/.rsync-filter',
  ])(
    'When a filter (%s) has the sender read a file elsewhere, then nobody hears what is in it',
    async (filter) => {
      const { stderr, stdout } = await rsync('read', [
        '-a',
        `--filter=${filter}`,
        `${remote()}/`,
        join(bench.dir, 'pulled-filter'),
      ]);
      expect(stderr + stdout).not.toContain(SECRET);
    },
  );

  test('When a pushed path leads through a link in the volume, then nothing is written behind it', async () => {
    const local = join(bench.dir, 'push-through');
    await mkdir(join(local, 'to-host/etc'), { recursive: true });
    await mkdir(join(local, 'sub/to-neighbour'), { recursive: true });
    await writeFile(join(local, 'to-host/pwned'), 'pwned');
    await writeFile(join(local, 'to-host/secret'), 'pwned');
    await writeFile(join(local, 'sub/to-neighbour/secret'), 'pwned');
    const relative = ['-aR', '--no-implied-dirs', `${local}/./to-host/pwned`, `${local}/./to-host/secret`];
    await rsync('write', [...relative, `${local}/./sub/to-neighbour/secret`, `${remote()}/`]);
    await rsync('write', [
      '-aR',
      '--no-implied-dirs',
      '--inplace',
      `${local}/./to-host/secret`,
      `${remote()}/`,
    ]);
    await rsync('write', ['-r', '--no-links', '--ignore-times', `${local}/sub/`, `${remote()}/`]);
    expect(await checksum(tree.outside)).toBe(before);
  });

  test('When a link is pushed first and then a file through it, then the file stays inside', async () => {
    const local = join(bench.dir, 'push-link');
    await mkdir(local, { recursive: true });
    await symlink(join(bench.dir, 'tree/host'), join(local, 'door'));
    expect((await rsync('write', ['-a', `${local}/`, `${remote()}/`])).code).toBe(0);
    await rm(join(local, 'door'));
    await mkdir(join(local, 'door'));
    await writeFile(join(local, 'door/secret'), 'pwned');
    await rsync('write', ['-aR', '--no-implied-dirs', `${local}/./door/secret`, `${remote()}/`]);
    await rsync('write', ['-a', '--partial-dir=door', '--ignore-times', `${local}/`, `${remote()}/`]);
    await rsync('write', ['-ab', '--backup-dir=door', '--ignore-times', `${local}/`, `${remote()}/`]);
    expect(await checksum(tree.outside)).toBe(before);
  });

  test.each([
    ['--temp-dir=to-host', 'secret'],
    ['--temp-dir=sub/to-neighbour', 'secret'],
    ['--copy-dest=to-host', 'secret'],
    ['--link-dest=to-host', 'secret'],
    ['--compare-dest=to-host', 'secret'],
    ['--partial-dir=to-host', 'secret'],
    ['--partial-dir=to-host --delay-updates', 'secret'],
    ['--backup --backup-dir=to-host', 'mine'],
    ['--backup --backup-dir=sub/to-neighbour', 'mine'],
    ['--backup --suffix=.old', 'mine'],
    ['--fuzzy --fuzzy', 'secret'],
  ])(
    'When a directory for a purpose of its own (%s) is a link out of the volume, then nothing is written or learned there',
    async (options, name) => {
      const local = await mkdtemp(join(bench.dir, 'own-purpose-'));
      // Of the size and time of the file behind the link: what is found there would be taken for it.
      await writeFile(join(local, name), 'x'.repeat(SECRET.length + 1));
      const { atime, mtime } = await stat(join(bench.dir, 'tree/host/secret'));
      await utimes(join(local, name), atime, mtime);
      const words = ['-t', '--stats', '--no-human-readable', ...options.split(' ')];
      const ran = await rsync('both', [...words, join(local, name), `${remote()}/`]);
      // Refused, or done without what is behind the link: then all of it had to be sent.
      if (ran.code === 0) expect(ran.stdout).toContain(`Literal data: ${SECRET.length + 1} bytes`);
      expect(await checksum(tree.outside)).toBe(before);
      await rm(join(bench.dir, 'tree'), { recursive: true, force: true });
      tree = await plantTree(join(bench.dir, 'tree'));
      before = await checksum(tree.outside);
    },
  );

  test('When --delete and links meet, then only what is in the volume goes', async () => {
    const empty = join(bench.dir, 'empty');
    await mkdir(empty, { recursive: true });
    const ran = await rsync('both', ['-r', '--delete', '--force', `${empty}/`, `${remote()}/`]);
    expect(ran.code).toBe(0);
    expect(await checksum(tree.outside)).toBe(before);
    await rm(join(bench.dir, 'tree'), { recursive: true, force: true });
    tree = await plantTree(join(bench.dir, 'tree'));
    before = await checksum(tree.outside);
  });

  test('When the volume itself is swapped for a link, then it is not opened', async () => {
    await rename(tree.volume, `${tree.volume}.aside`);
    await symlink(join(bench.dir, 'tree/host'), tree.volume);
    const { stderr } = await rsync('both', ['-a', `${remote()}/`, join(bench.dir, 'swapped')]);
    await rm(tree.volume);
    await rename(`${tree.volume}.aside`, tree.volume);
    expect(stderr).toContain('VolumeNotAvailable');
  });
});

test('Given all that was asked, then nothing outside was changed, nothing of it was heard, and the audit log is whole', async () => {
  expect(await checksum(tree.outside)).toBe(before);
  expect(heard.filter((text) => text.includes(SECRET))).toEqual([]);
  expect(await readFile(join(tree.volume, 'mine'), 'utf8')).toBe('the tenant may see this');
  expect(verifyChain(server.auditLines)).toBeUndefined();
  const refused = server.audit('command').filter((record) => record['decision'] === 'refused');
  expect(refused.length).toBeGreaterThan(180);
  expect(
    refused.every((record) => typeof record['code'] === 'string' && record['fingerprint'] !== undefined),
  ).toBe(true);
  expect(requests).toBeGreaterThan(200);
});
