import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';

import {
  makeWorkbench,
  rsh,
  startServer,
  type TestKey,
  type TestServer,
  type Workbench,
} from '../server/testing/fixture.js';
import { run } from '../server/testing/process.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

/** The line of the product's security page, with a real key. */
const seedLine = (key: TestKey) =>
  `command="rsync --server -vlogDtprze.iLsfxC . /mnt/data",no-port-forwarding,no-X11-forwarding,no-agent-forwarding,no-pty ${key.line}`;

let bench: Workbench;
let server: TestServer;
let key: TestKey;

beforeAll(async () => {
  bench = await makeWorkbench();
  key = await bench.key('seed', 'rsa', 4096);
  await mkdir(join(bench.dir, 'data'));
  await mkdir(join(bench.dir, 'src'));
  await writeFile(join(bench.dir, 'src/file'), 'hello');
  server = await startServer(bench, {
    volumesRoot: join(bench.dir, 'data'),
    publishedRoot: '/mnt/data',
    authorizedKeys: `${seedLine(key)}\n`,
  });
});

afterAll(async () => {
  await server.stop();
  await bench.remove();
});

test('Given the line of the security page, when rsync -avz pushes as the page says, then the file is there', async () => {
  const args = [
    '-avz',
    '-e',
    rsh(server.port, key.file),
    `${bench.dir}/src/`,
    'drsyncer@127.0.0.1:/destination/path/',
  ];
  const ran = await run('rsync', args);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(await readFile(join(bench.dir, 'data/file'), 'utf8')).toBe('hello');
  expect(server.log.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
});

test('When something else is asked for with that key, then the forced command runs all the same', async () => {
  const { stdout, code } = await run('ssh', [
    ...rsh(server.port, key.file).split(' ').slice(1),
    'drsyncer@127.0.0.1',
    'cat /etc/passwd',
  ]);
  // The greeting of rsync's protocol, version 32, then the end because the client says nothing.
  expect([...Buffer.from(stdout, 'latin1').subarray(0, 4)]).toEqual([32, 0, 0, 0]);
  expect(code).toBe(12);
});
