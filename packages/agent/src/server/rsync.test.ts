import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
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
import { eventually, run } from './testing/process.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

describe('Given the stand-alone server and a key that may write a volume', () => {
  let bench: Workbench;
  let server: TestServer;
  let writer: TestKey;
  let reader: TestKey;
  let both: TestKey;

  beforeAll(async () => {
    bench = await makeWorkbench();
    writer = await bench.key('writer');
    reader = await bench.key('reader', 'rsa', 3072);
    both = await bench.key('both');
    await mkdir(join(bench.dir, 'volumes/a'), { recursive: true });
    await mkdir(join(bench.dir, 'src/deep'), { recursive: true });
    await writeFile(join(bench.dir, 'src/deep/file'), 'hello');
    await writeFile(join(bench.dir, 'src/big'), Buffer.alloc(20_000_000, 'x'));
    const dir = join(bench.dir, 'volumes/a');
    server = await startServer(bench, {
      volumesRoot: join(bench.dir, 'volumes'),
      authorizedKeys: [
        `restrict,command="dr-syncer-rsync --write-only ${dir}" ${writer.line}`,
        `restrict,command="dr-syncer-rsync --read-only ${dir}" ${reader.line}`,
        `restrict,command="dr-syncer-rsync ${dir}" ${both.line}`,
      ].join('\n'),
    });
  });

  afterAll(async () => {
    await server.stop();
    await bench.remove();
  });

  const volume = () => join(bench.dir, 'volumes/a');
  const remote = () => `drsyncer@127.0.0.1:${volume()}/`;

  test('When rsync pushes and pulls, then the trees are the same', async () => {
    const push = await run('rsync', [
      '-aHAXS',
      '--delete',
      '-e',
      rsh(server.port, writer.file),
      `${bench.dir}/src/`,
      remote(),
    ]);
    expect(push).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(join(volume(), 'deep/file'), 'utf8')).toBe('hello');

    const pull = await run('rsync', [
      '-a',
      '-e',
      rsh(server.port, reader.file),
      remote(),
      `${bench.dir}/back/`,
    ]);
    expect(pull).toMatchObject({ code: 0, stderr: '' });
    expect((await run('diff', ['-r', `${bench.dir}/src`, `${bench.dir}/back`])).code).toBe(0);
    const end = await eventually(() => (server.audit('end').length === 2 ? server.audit('end') : undefined));
    expect(end[1]).toMatchObject({ exit_code: 0, remote_addr: '127.0.0.1', user: 'drsyncer' });
    expect(end[1]?.['bytes_out']).toBeGreaterThan(20_000_000);
  });

  test('When the key is for the other direction, then the refusal has its code', async () => {
    const pull = await run('rsync', [
      '-a',
      '-e',
      rsh(server.port, writer.file),
      remote(),
      `${bench.dir}/nothing/`,
    ]);
    expect(pull.code).not.toBe(0);
    expect(pull.stderr).toContain('dr-syncer: refused: DirectionNotAllowed');
    expect(await server.metric('dr_syncer_ssh_refused_commands_total', { code: 'DirectionNotAllowed' })).toBe(
      1,
    );
  });

  test('When files cannot be read, then exit code and message of rsync arrive', async () => {
    await rm(join(bench.dir, 'back'), { recursive: true, force: true });
    const pull = await run('rsync', [
      '-a',
      '-e',
      rsh(server.port, both.file),
      `${remote()}missing`,
      `${bench.dir}/back/`,
    ]);
    expect(pull.stderr).toContain('PathNotAllowed');
  });
});
