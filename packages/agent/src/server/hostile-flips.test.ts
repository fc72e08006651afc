import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import {
  makeWorkbench,
  rsh,
  startServer,
  type TestKey,
  type TestServer,
  type Workbench,
} from './testing/fixture.js';
import { checksum, type HostileTree, plantTree, SECRET } from './testing/hostile/canary.js';
import { run } from './testing/process.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

/** A tenant who, inside their own volume, swaps a directory for a link to elsewhere as fast as they can. */
const FLIPPER = `
  const { renameSync } = require('node:fs');
  const [dir, link, spare] = process.argv.slice(1);
  for (;;) {
    try { renameSync(dir, spare); renameSync(link, dir); renameSync(dir, link); renameSync(spare, dir); } catch {
      try { renameSync(spare, dir); } catch {}
    }
  }
`;

let bench: Workbench;
let tree: HostileTree;
let server: TestServer;
let key: TestKey;
let flipper: ChildProcess;
let before: string;

beforeAll(async () => {
  bench = await makeWorkbench();
  tree = await plantTree(join(bench.dir, 'tree'));
  key = await bench.key('tenant');
  await mkdir(join(tree.volume, 'flip'));
  await writeFile(join(tree.volume, 'flip/secret'), 'inside');
  server = await startServer(bench, {
    volumesRoot: join(bench.dir, 'tree/volumes'),
    authorizedKeys: `restrict,command="dr-syncer-rsync ${tree.volume}" ${key.line}`,
  });
  before = await checksum(tree.outside);
  const at = (name: string) => join(tree.volume, name);
  flipper = spawn(process.execPath, ['-e', FLIPPER, at('flip'), at('to-host'), at('spare')], {
    stdio: 'ignore',
  });
});

afterAll(async () => {
  flipper.kill('SIGKILL');
  await server.stop();
  await bench.remove();
});

const ROUND_MS = 4_000;

async function forAWhile(act: (round: number) => Promise<unknown>): Promise<number> {
  const until = Date.now() + ROUND_MS;
  let rounds = 0;
  for (; Date.now() < until; rounds += 1) await act(rounds);
  return rounds;
}

describe('Given a directory of the volume that is swapped for a link all the time', () => {
  const remote = () => `drsyncer@127.0.0.1:${tree.volume}/`;

  test('When files are pushed into it, then none is written behind the link', async () => {
    const local = join(bench.dir, 'push');
    await mkdir(join(local, 'flip'), { recursive: true });
    const ways = [
      ['-r', '--ignore-times'],
      ['-r', '--ignore-times', '--inplace'],
      ['-rR', '--ignore-times', '--no-implied-dirs'],
      ['-a', '--ignore-times', '--delete'],
      ['-a', '--ignore-times', '--backup', '--backup-dir=flip'],
      ['-a', '--ignore-times', '--partial-dir=flip', '--delay-updates'],
    ];
    const rounds = await forAWhile(async (round) => {
      await writeFile(join(local, 'flip/secret'), `pwned ${round}`);
      await writeFile(join(local, `flip/new-${round}`), 'pwned');
      await run('rsync', [
        ...(ways[round % ways.length] ?? []),
        '--exclude=to-*',
        '--exclude=spare',
        '-e',
        rsh(server.port, key.file),
        `${local}/`,
        remote(),
      ]);
    });
    expect(rounds).toBeGreaterThan(5);
    expect(await checksum(tree.outside)).toBe(before);
  }, 20_000);

  test('When the volume is pulled, then nothing from behind the link comes', async () => {
    const pulled = join(bench.dir, 'pulled');
    await mkdir(pulled);
    const list = join(bench.dir, 'list');
    await writeFile(list, 'flip/secret\nflip/etc/secret\n');
    await forAWhile(async (round) => {
      const what = round % 2 === 0 ? ['-a'] : ['-a', `--files-from=${list}`];
      await run('rsync', [
        ...what,
        '--ignore-times',
        '-e',
        rsh(server.port, key.file),
        remote(),
        `${pulled}/${round}/`,
      ]);
    });
    const found = await run('grep', ['-rlsI', SECRET, pulled]);
    expect(found.stdout).toBe('');
    expect(await checksum(tree.outside)).toBe(before);
  }, 20_000);
});
