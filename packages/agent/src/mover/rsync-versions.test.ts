import { chmod, chown, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Identity } from '@dr-syncer/api';
import type { ControlConnection, TransferOptions } from '@dr-syncer/ssh';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';

import { compare, type Difference, snapshot } from '../identity/testing/snapshot.js';
import { makeTree } from '../identity/testing/tree.js';
import { makeWorkbench, rsh, startServer, type TestKey } from '../server/testing/fixture.js';
import { type Ran, run } from '../server/testing/process.js';
import { rootIdentity, TestAgent, tenantIdentity } from './testing/agent.js';
import { debianRsync } from './testing/debian-rsync.js';
import type { TestVolume } from './testing/kubelet.js';
import { pushOptions } from './transfers/rsync-options.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(60_000);

/** Of Debian 12 as it came out; what is installed is its security update, 3.5. */
const OLD = '3.2.7';
const old = await debianRsync(OLD);
if ('missing' in old) {
  process.stderr.write(`\nNOT TESTED: rsync ${OLD} beside the installed one, because ${old.missing}\n`);
}
const oldPath = 'path' in old ? old.path : '';
const clients = [
  ['the installed rsync', '/usr/bin/rsync'],
  [`rsync ${OLD}`, oldPath],
] as const;

const plain: TransferOptions = {
  delete: false,
  excludePaths: [],
  bandwidthLimitKiB: 0,
  streams: 1,
  startTimeoutSeconds: 15,
  stallTimeoutSeconds: 30,
  totalTimeoutSeconds: 0,
  attempts: 1,
  checksum: false,
  resume: true,
  scope: 'All',
  purpose: 'copy',
  devices: true,
  fileCapabilities: true,
};

/** The ways in which the product calls rsync. */
const modes: [string, Partial<TransferOptions>][] = [
  ['copies', {}],
  ['copies and deletes', { delete: true }],
  ['compares contents and deletes', { delete: true, checksum: true }],
  ['has a limit of bandwidth', { delete: true, bandwidthLimitKiB: 100_000 }],
  ['keeps no parts of files', { delete: true, resume: false }],
  ['leaves paths out', { delete: true, excludePaths: ['/shared', '*.tmp'] }],
];

const someday = () => new Date(Date.now() + 600_000).toISOString();

/** An agent, a key with grants for its volumes, and trees to push. */
class Side {
  readonly #agent: TestAgent;
  readonly #control: ControlConnection;
  readonly #key: TestKey;
  #grants = 0;

  private constructor(agent: TestAgent, control: ControlConnection, key: TestKey) {
    this.#agent = agent;
    this.#control = control;
    this.#key = key;
  }

  static async start(rsyncPath: string): Promise<Side> {
    const agent = await TestAgent.start(rsyncPath);
    return new Side(agent, await agent.control(), await agent.bench.key('transfer'));
  }

  stop(): Promise<void> {
    return this.#agent.stop();
  }

  async volume(owner: Identity): Promise<TestVolume> {
    const volume = await this.#agent.kubelet.volume();
    await chown(volume.path, owner.uid, owner.gid);
    return volume;
  }

  /** Runs with a grant for the volume, which is closed then. */
  async granted<T>(
    to: TestVolume,
    identity: Identity,
    direction: 'read' | 'write',
    use: (remote: string) => Promise<T>,
  ): Promise<T> {
    this.#grants += 1;
    const id = `g-${this.#grants}`;
    const { peer } = this.#control;
    const { path } = await peer.request('grants.open', {
      ...{ id, publicKey: this.#key.line, volume: to.ref, direction, allowDelete: true, from: [] },
      ...{ expiresAt: someday(), identity, preserve: { devices: true, fileCapabilities: true } },
      ...{ holder: id, streams: 1 },
    });
    try {
      return await use(`drsyncer@127.0.0.1:${path}/`);
    } finally {
      await peer.request('grants.close', { id });
    }
  }

  push(
    client: string,
    from: string,
    to: TestVolume,
    identity: Identity,
    options: TransferOptions,
  ): Promise<Ran> {
    const words = pushOptions(options, { identity, rootModesAgree: false });
    return this.granted(to, identity, 'write', (remote) =>
      run(client, [...words, '-e', rsh(this.#agent.port, this.#key.file), `${from}/`, remote]),
    );
  }

  pull(client: string, from: TestVolume, identity: Identity, to: string): Promise<Ran> {
    const words = [
      '-aHAXS',
      '--numeric-ids',
      '--modify-window=-1',
      '--delete',
      '--filter=-x security.*',
      '--filter=-x trusted.*',
    ];
    return this.granted(from, identity, 'read', (remote) =>
      run(client, [...words, '-e', rsh(this.#agent.port, this.#key.file), remote, `${to}/`]),
    );
  }
}

/** Labels and trusted attributes never cross clusters. */
function differences(from: string, to: string): Difference[] {
  return compare(snapshot(from), snapshot(to)).filter(({ aspect }) => aspect !== 'foreignXattrs');
}

/** What two pushes of one tree leave, whoever pushed; times of directories are those of the push. */
function unlike(one: string, other: string): Difference[] {
  const isDirectory = (type = '') => type.startsWith('40000');
  const first = snapshot(one);
  return compare(first, snapshot(other)).filter(
    ({ name, aspect }) => aspect !== 'mtime' || !isDirectory(first.get(name)?.type),
  );
}

async function change(tree: string): Promise<void> {
  await rm(join(tree, 'script'));
  await writeFile(join(tree, 'new.tmp'), 'new');
  await writeFile(join(tree, 'setgid-2664'), 'changed');
}

('path' in old ? describe : describe.skip)(
  `Given clients and servers with rsync ${OLD} and the installed one`,
  () => {
    let dir: string;
    let source = '/nonexistent';
    let current: Side;
    let aged: Side;

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'dr-syncer-versions-'));
      // The cache is in a home that tenants can't enter.
      await chmod(dir, 0o755);
      await mkdir(join(dir, 'old'));
      await copyFile(oldPath, join(dir, 'old/rsync'));
      await chmod(join(dir, 'old/rsync'), 0o755);
      current = await Side.start('/usr/bin/rsync');
      aged = await Side.start(join(dir, 'old/rsync'));
    });

    afterEach(() => rm(source, { recursive: true, force: true }));

    async function freshTree(): Promise<string> {
      source = await mkdtemp(join(dir, 'tree-'));
      makeTree(source);
      return source;
    }

    afterAll(async () => {
      await current.stop();
      await aged.stop();
      await rm(dir, { recursive: true, force: true });
    });

    describe.each(clients)('When %s pushes', (_name, client) => {
      test.each(modes)('and %s, to a privileged mover, then the copy is the tree', async (_mode, more) => {
        const options = { ...plain, ...more };
        const tree = await freshTree();
        const to = await current.volume(rootIdentity);
        expect(await current.push(client, tree, to, rootIdentity, options)).toMatchObject({ code: 0 });
        await change(tree);
        expect(await current.push(client, tree, to, rootIdentity, options)).toMatchObject({
          code: 0,
          stderr: '',
        });
        const left = differences(tree, to.path).map(({ name, aspect }) => `${name} ${aspect}`);
        const excluded = options.excludePaths.length > 0;
        const expected = [
          ...(options.delete ? [] : ['script extra']),
          ...(excluded
            ? ['new.tmp missing', 'shared missing', 'shared/by-group missing', 'shared/hard-link missing']
            : []),
        ];
        expect(left.sort()).toEqual(expected.sort());
      });
    });

    test.each(modes)(
      'When one and the other push and %s, to an unprivileged mover of either version, then all four copies are the same',
      async (_mode, more) => {
        const options = { ...plain, ...more };
        const tree = await freshTree();
        const ways = await Promise.all(
          [current, aged].flatMap((side) =>
            clients.map(async ([, client]) => ({ side, client, to: await side.volume(tenantIdentity) })),
          ),
        );
        for (const prepare of [() => undefined, change]) {
          await prepare(tree);
          for (const { side, client, to } of ways)
            expect(await side.push(client, tree, to, tenantIdentity, options)).toMatchObject({ code: 0 });
        }
        const [first = '', ...others] = ways.map(({ to }) => to.path);
        expect(snapshot(first).size).toBeGreaterThan(20);
        for (const other of others) expect(unlike(first, other)).toEqual([]);
      },
    );

    test.each(clients)('When %s pulls, then the copy is the tree', async (_name, client) => {
      const from = await current.volume(rootIdentity);
      makeTree(from.path);
      const to = await mkdtemp(join(dir, 'pulled-'));
      expect(await current.pull(client, from, rootIdentity, to)).toMatchObject({ code: 0, stderr: '' });
      expect(differences(from.path, to).filter(({ aspect }) => aspect !== 'capability')).toEqual([]);
    });

    test.each(clients)(
      'When %s pushes to the stand-alone server with the old one, then the copy is the tree',
      async (_name, client) => {
        const bench = await makeWorkbench();
        const key = await bench.key('client');
        const volume = join(bench.dir, 'volume');
        await mkdir(volume);
        const server = await startServer(bench, {
          volumesRoot: bench.dir,
          rsyncPath: oldPath,
          authorizedKeys: `restrict,command="dr-syncer-rsync ${volume}" ${key.line}`,
        });
        const tree = await freshTree();
        const words = pushOptions(
          { ...plain, delete: true },
          { identity: rootIdentity, rootModesAgree: true },
        );
        const ran = await run(client, [
          ...words,
          '-e',
          rsh(server.port, key.file),
          `${tree}/`,
          `drsyncer@127.0.0.1:${volume}/`,
        ]);
        expect(ran).toMatchObject({ code: 0, stderr: '' });
        expect(differences(tree, volume)).toEqual([]);
        expect(server.log.map(({ message }) => message)).toContainEqual(
          expect.stringContaining('older than 3.5'),
        );
        await server.stop();
        await bench.remove();
      },
    );

    test('When the old one would have to run with privileges, then it is not used', async () => {
      const to = await aged.volume(rootIdentity);
      await expect(aged.push('/usr/bin/rsync', dir, to, rootIdentity, plain)).rejects.toMatchObject({
        code: 'RsyncTooOld',
      });
    });
  },
);
