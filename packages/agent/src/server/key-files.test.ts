import { mkdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { Registry } from 'prom-client';

import { runServe } from '../serve/run-serve.js';
import { readHostKeys } from './host-keys.js';
import { KeyRing, readAuthorizedKeys } from './key-ring.js';
import {
  type LogLine,
  makeWorkbench,
  metricValue,
  recordingLogger,
  sshOptions,
  type TestKey,
  type Workbench,
} from './testing/fixture.js';
import { run } from './testing/process.js';
import { closed, exec, login } from './testing/raw-client.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

const REQUEST = 'rsync --server --sender -e.LsfxCIvu . ./';
let bench: Workbench;
let serial = 0;
let dir: string;
let first: TestKey;
let second: TestKey;
let hosts: TestKey[];
let log: LogLine[];
let registry: Registry;
let port: number;
let abort: AbortController;
let ended: Promise<void>;

beforeAll(async () => {
  bench = await makeWorkbench();
  first = await bench.key('first');
  second = await bench.key('second');
  hosts = [await bench.key('host-a'), await bench.key('host-b')];
  await mkdir(join(bench.dir, 'volumes/v'), { recursive: true });
});

afterAll(() => bench.remove());

const lineOf = (key: TestKey) => `restrict,command="dr-syncer-rsync ${bench.dir}/volumes/v" ${key.line}\n`;

/** As the kubelet lays out a Secret: names are links into `..data`, which is a link to the current version. */
async function publish(version: string, files: Record<string, string>): Promise<void> {
  const folder = join(dir, `..${version}`);
  await mkdir(folder);
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o600 });
  await symlink(`..${version}`, join(dir, '..data_tmp'));
  await rename(join(dir, '..data_tmp'), join(dir, '..data'));
  for (const name of Object.keys(files))
    await symlink(join('..data', name), join(dir, name)).catch(() => undefined);
}

beforeEach(async () => {
  serial += 1;
  dir = join(bench.dir, `secret-${serial}`);
  await mkdir(dir);
  await publish('v1', {
    authorized_keys: lineOf(first),
    host: await readFile(hosts[0]?.file ?? '', 'utf8'),
  });
  log = [];
  registry = new Registry();
  abort = new AbortController();
  port = await new Promise<number>((resolve, reject) => {
    ended = runServe(
      {
        host: '127.0.0.1',
        port: 0,
        hostKeyFiles: [join(dir, 'host')],
        authorizedKeysFile: join(dir, 'authorized_keys'),
        volumesRoot: join(bench.dir, 'volumes'),
        settleMs: 20,
      },
      { signal: abort.signal, logger: recordingLogger(log), registry, onListening: (a) => resolve(a.port) },
    );
    ended.catch(reject);
  });
});

afterEach(async () => {
  abort.abort();
  await ended;
});

const reloads = (file: string, outcome: string) =>
  metricValue(registry, 'dr_syncer_ssh_key_file_reloads_total', { file, outcome });

async function reloaded(file: string, outcome: string, count: number): Promise<void> {
  for (let i = 0; i < 300 && (await reloads(file, outcome)) < count; i += 1) await sleep(10);
  expect(await reloads(file, outcome)).toBe(count);
}

async function letsIn(key: TestKey): Promise<boolean> {
  const ran = await run('ssh', [...sshOptions(port, key.file), 'drsyncer@127.0.0.1', REQUEST]);
  return ran.code !== 255;
}

const v1 = async () => ({ host: await readFile(join(dir, '..v1/host'), 'utf8') });

describe('Given authorized_keys in a mounted Secret', () => {
  test('When the Secret changes, then the new keys are in force and the old are not', async () => {
    expect([await letsIn(first), await letsIn(second)]).toEqual([true, false]);
    await publish('v2', { ...(await v1()), authorized_keys: lineOf(second) });
    await reloaded('authorized_keys', 'applied', 2);
    expect([await letsIn(first), await letsIn(second)]).toEqual([false, true]);
  });

  test('When a key is removed, then its connections end', async () => {
    const client = await login({ port, keyFile: first.file });
    const channel = await exec(client, REQUEST);
    channel.resume();
    await publish('v2', { ...(await v1()), authorized_keys: lineOf(second) });
    await closed(client);
  });

  test('When another key is added, then connections go on', async () => {
    const client = await login({ port, keyFile: first.file });
    await publish('v2', { ...(await v1()), authorized_keys: lineOf(second) + lineOf(first) });
    await reloaded('authorized_keys', 'applied', 2);
    expect(await exec(client, REQUEST)).toBeDefined();
    client.end();
  });

  test.each<[string, string]>([
    ['nonsense', 'this is not a key\n'],
    ['not text', 'a\0b'],
    ['a key without a command', 'KEY'],
  ])(
    'When the new file is %s, then the last good one stays, and log and metric tell',
    async (_name, text) => {
      await publish('v2', { ...(await v1()), authorized_keys: text === 'KEY' ? second.line : text });
      await reloaded('authorized_keys', 'kept', 1);
      expect(
        log.find(({ level, message }) => level === 'error' && message.includes('last good one')),
      ).toBeDefined();
      expect(await letsIn(first)).toBe(true);
    },
  );

  test('When the file is gone, then the last good one stays', async () => {
    await unlink(join(dir, 'authorized_keys'));
    await reloaded('authorized_keys', 'kept', 1);
    expect(await letsIn(first)).toBe(true);
  });

  test('When the file is empty, then that is meant, and nobody gets in', async () => {
    await publish('v2', { ...(await v1()), authorized_keys: '# all revoked\n' });
    await reloaded('authorized_keys', 'applied', 2);
    expect(await letsIn(first)).toBe(false);
  });

  test('When one line is bad, then the others count, and the log has its number', async () => {
    await publish('v2', {
      ...(await v1()),
      authorized_keys: `# head\nrestrict,nonsense ${first.line}\n${lineOf(second)}`,
    });
    await reloaded('authorized_keys', 'applied', 2);
    expect(await letsIn(second)).toBe(true);
    const problem = log.find(({ message }) => message.includes('a line that is not used'));
    expect(problem?.fields).toMatchObject({ line: 2, code: 'UnknownOption' });
    expect(await metricValue(registry, 'dr_syncer_ssh_authorized_keys_problems')).toBe(1);
  });
});

describe('Given host keys in a mounted Secret', () => {
  const presented = async () => {
    const scan = await run('ssh-keyscan', ['-p', String(port), '-t', 'ed25519', '127.0.0.1']);
    return scan.stdout.split(' ').slice(1, 3).join(' ').trim();
  };
  const publicOf = (key: TestKey | undefined) => (key?.line ?? '').split(' ').slice(0, 2).join(' ');

  test('When the key changes, then new connections see the new one and old ones go on', async () => {
    const client = await login({ port, keyFile: first.file });
    expect(await presented()).toBe(publicOf(hosts[0]));
    const authorizedKeys = lineOf(first);
    await publish('v2', {
      authorized_keys: authorizedKeys,
      host: await readFile(hosts[1]?.file ?? '', 'utf8'),
    });
    await reloaded('host_keys', 'applied', 2);
    expect(await presented()).toBe(publicOf(hosts[1]));
    expect(await exec(client, REQUEST)).toBeDefined();
    client.end();
  });

  test('When the new key is broken, then the old one stays', async () => {
    await publish('v2', { authorized_keys: lineOf(first), host: 'no key' });
    await reloaded('host_keys', 'kept', 1);
    expect(await presented()).toBe(publicOf(hosts[0]));
    expect(JSON.stringify(log)).not.toContain('PRIVATE');
  });

  test('When both kinds are given, then ed25519 comes first, and RSA signs with SHA-2 only', async () => {
    const rsa = await bench.key(`rsa-host-${serial}`, 'rsa', 3072);
    const texts = await Promise.all([rsa, hosts[0] ?? rsa].map(({ file }) => readFile(file, 'utf8')));
    const keys = readHostKeys(texts.map((text) => ({ text })));
    expect(keys.map(({ type }) => type)).toEqual(['ssh-ed25519', 'ssh-rsa']);
  });
});

test('Given no usable host key at the start, then the server does not start', async () => {
  const missing = join(bench.dir, 'missing');
  await rm(missing, { force: true });
  await expect(
    runServe(
      {
        host: '127.0.0.1',
        port: 0,
        hostKeyFiles: [missing],
        authorizedKeysFile: missing,
        volumesRoot: bench.dir,
      },
      { signal: new AbortController().signal, logger: recordingLogger([]), registry: new Registry() },
    ),
  ).rejects.toThrow('no usable host key');
});

describe('Given keys of the file and of grants', () => {
  const parse = (text: string) => {
    const parsed = readAuthorizedKeys(text, new Date());
    if ('broken' in parsed) throw new Error(parsed.broken);
    return parsed;
  };

  test('Then the file comes first, a grant is found by its key, and a past grant is known for what it was', () => {
    const ring = new KeyRing();
    const [fileKey, grantKey] = [parse(lineOf(first)).keys[0], parse(lineOf(second)).keys[0]];
    if (fileKey === undefined || grantKey === undefined) throw new Error('no keys');
    ring.setStatic(parse(lineOf(first)));
    ring.addGrant({ id: 'g', allowDevices: false }, grantKey);
    const decide = (key: { blob: Buffer }) =>
      ring.decide({ blob: key.blob, address: '192.0.2.1', now: new Date() });
    expect(decide(fileKey)).toMatchObject({ outcome: 'accepted', key: { line: 1 } });
    expect(decide(grantKey)).toMatchObject({ outcome: 'accepted', grant: { id: 'g' } });
    expect([ring.has(fileKey.blob), ring.has(grantKey.blob)]).toEqual([true, true]);
    ring.removeGrant(grantKey);
    expect(decide(grantKey)).toEqual({ outcome: 'Expired' });
  });
});
