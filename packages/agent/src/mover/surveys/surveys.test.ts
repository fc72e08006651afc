import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import {
  chmod,
  chown,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ControlConnection, Survey, TransferState } from '@dr-syncer/ssh';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { compare, snapshot } from '../../identity/testing/snapshot.js';
import { makeTree } from '../../identity/testing/tree.js';
import { rootIdentity, TestAgent, tenantIdentity } from '../testing/agent.js';
import type { TestVolume } from '../testing/kubelet.js';

jest.setTimeout(60_000);

const privileged = { source: rootIdentity, destination: rootIdentity };
/** What is as fresh as this when it is surveyed counts as changed the next time too. */
const SETTLED_MS = 3_100;

describe('Given volumes that are surveyed', () => {
  let agent: TestAgent;
  let from: TestVolume;
  let to: TestVolume;
  let control: ControlConnection;
  let count = 0;

  const survey = (compareWith?: 'kept' | 'last', volume = from, identity = rootIdentity): Promise<Survey> =>
    control.peer.request('volumes.survey', {
      ...{ volume: volume.ref, identity },
      ...(compareWith && { compare: { holder: 'h', with: compareWith } }),
    });
  const keep = (full = true) =>
    control.peer.request('surveys.keep', { holder: 'h', conditions: 'c', copyDigest: 'd', full });

  /** Of what a survey for the same holder has named. */
  const pushChanged = async (identity = rootIdentity): Promise<TransferState> => {
    count += 1;
    const id = `changed-${count}`;
    const { peer } = control;
    const { publicKey } = await peer.request('transfers.prepare', {
      ...{ id, holder: 'h', volume: from.ref, identity },
    });
    const { path } = await peer.request('grants.open', {
      ...{ id, publicKey, volume: to.ref, direction: 'write', allowDelete: true, from: [], holder: 'h' },
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
      identity: rootIdentity,
      preserve: { devices: true, fileCapabilities: true },
      streams: 1,
    });
    const { port, hostKey } = agent;
    await peer.request('transfers.start', {
      id,
      destination: {
        ...{ host: '127.0.0.1', port, hostKeys: [hostKey], path, identity: rootIdentity },
        rootModesAgree: true,
      },
      options: {
        ...{
          delete: true,
          scope: 'Changed',
          streams: 1,
          purpose: 'copy',
          excludePaths: [],
          bandwidthLimitKiB: 0,
          attempts: 1,
        },
        ...{ startTimeoutSeconds: 15, stallTimeoutSeconds: 30, totalTimeoutSeconds: 0, checksum: false },
        resume: true,
        ...{ devices: true, fileCapabilities: true },
      },
    });
    const state = await peer.request('transfers.watch', { id }, { timeoutMs: 0 });
    await peer.request('transfers.forget', { id });
    await peer.request('grants.close', { id });
    return state;
  };
  const differences = () =>
    compare(snapshot(from.path), snapshot(to.path)).filter(({ aspect }) => aspect !== 'foreignXattrs');

  beforeAll(async () => {
    agent = await TestAgent.start();
  });

  beforeEach(async () => {
    from = await agent.kubelet.volume();
    to = await agent.kubelet.volume();
    control = await agent.control();
  });

  afterEach(() => control.close());

  afterAll(async () => {
    await agent.stop();
  });

  test('When it holds this and that, then all is counted as rsync counts it, but for what is never sent', async () => {
    await writeFile(join(from.path, 'file'), '12345');
    await link(join(from.path, 'file'), join(from.path, 'other'));
    await symlink('abc', join(from.path, 'link'));
    for (const name of ['dir', 'lost+found', 'dir/lost+found', '.dr-syncer-partial'])
      await mkdir(join(from.path, name));
    await writeFile(join(from.path, '.dr-syncer-partial/x'), 'x');

    const found = await survey();

    expect(found).toMatchObject({ entries: 6, files: 2, directories: 3, links: 1, others: 0, bytes: 13 });
    expect(found.base).toBeUndefined();
    const { filesTotal, bytesTotal } = await agent.push(from, to, privileged);
    expect([filesTotal, bytesTotal]).toEqual([found.entries, found.bytes]);
  });

  test('When nothing was kept, then there is nothing to compare with, and nothing to add to', async () => {
    expect(await keep()).toEqual({ kept: false });
    expect((await survey('kept')).base).toBeUndefined();
    expect(await keep(false)).toEqual({ kept: false });
    expect(await keep()).toEqual({ kept: true });
    expect((await survey('kept')).base).toMatchObject({ conditions: 'c', copyDigest: 'd' });
  });

  test('When another volume comes under the same name, then nothing of the one before counts', async () => {
    await survey('kept');
    await keep();
    const other = await agent.kubelet.volume();
    expect((await survey('kept', other)).base).toBeUndefined();
  });

  test('When an entry was changed a moment before, then it counts as changed the next time too', async () => {
    await writeFile(join(from.path, 'file'), 'x');
    await survey('kept');
    await keep();
    expect((await survey('kept')).base).toMatchObject({ changed: 2, removed: 0 });
  });

  test('When a file is written and its times are set back, then it has changed all the same', async () => {
    const file = join(from.path, 'file');
    await writeFile(file, 'one');
    await utimes(file, 1_700_000_000, 1_700_000_000);
    await sleep(SETTLED_MS);
    await survey('kept');
    await keep();
    expect((await survey('kept')).base).toMatchObject({ changed: 0, removed: 0 });
    const before = (await survey()).digest;

    await writeFile(file, 'two');
    await utimes(file, 1_700_000_000, 1_700_000_000);

    expect((await survey('kept')).base).toMatchObject({ changed: 1, removed: 1 });
    expect((await survey()).digest).not.toBe(before);
  });

  test('When the agent is restarted, then what it kept is still there', async () => {
    await sleep(SETTLED_MS);
    await survey('kept');
    await keep();
    const { digest } = await survey();
    control.close();
    await agent.restartMover();
    control = await agent.control();
    expect(await survey('kept')).toMatchObject({ digest, base: { changed: 0, removed: 0 } });
  });

  test('When a directory may not be read, then nothing of it is relied upon', async () => {
    await chmod(from.path, 0o755);
    await mkdir(join(from.path, 'closed'), { mode: 0o700 });
    expect(await survey(undefined, from, tenantIdentity)).toMatchObject({ complete: false, reliable: false });
    expect(await survey()).toMatchObject({ complete: true, reliable: true });
  });

  test('When only what has changed is looked at, then the copy is equal as after a whole run', async () => {
    const at = (name: string) => join(from.path, name);
    makeTree(from.path);
    for (const name of ['#hash', ';semicolon', '-dash', ' blank ', 'new\nline', 'gone', 'twice', 'to-dir'])
      await writeFile(at(name), name);
    for (const dir of ['moved', 'removed/deep', 'kept/inner', 'empty', 'to-file/x'])
      await mkdir(at(dir), { recursive: true });
    await writeFile(at('moved/a'), 'a');
    await writeFile(at('removed/deep/b'), 'b');
    await writeFile(at('kept/inner/c'), 'c');
    await link(at('kept/inner/c'), at('kept/c2'));
    await link(at('kept/inner/c'), at('c3'));
    await sleep(SETTLED_MS);
    await survey('kept');
    await agent.push(from, to, privileged);
    await keep();
    await agent.push(from, to, privileged);
    expect(differences()).toEqual([]);

    for (const name of ['#hash', ';semicolon', '-dash', ' blank ', 'new\nline'])
      await writeFile(at(name), randomBytes(10));
    await writeFile(at('twice'), 'eciwt');
    await rm(at('gone'));
    await rename(at('moved'), at('kept/moved'));
    await rm(at('removed'), { recursive: true });
    await writeFile(at('kept/inner/c'), 'changed');
    await link(at('twice'), at('kept/inner/twice'));
    await rm(at('c3'));
    await chmod(at('empty'), 0o711);
    await chown(at('kept'), 12, 34);
    rmSync(at('to-file'), { recursive: true });
    await writeFile(at('to-file'), 'is one now');
    rmSync(at('to-dir'));
    mkdirSync(at('to-dir'));
    await symlink('nowhere', at('kept/inner/link'));

    const { base, entries } = await survey('kept');
    expect(base?.named).toBe(true);
    expect(base?.changed).toBeLessThan(entries / 2);
    const state = await pushChanged();

    expect(state).toMatchObject({ phase: 'Succeeded', scope: 'Changed' });
    expect(differences()).toEqual([]);
    expect(await keep(false)).toEqual({ kept: true });
  });

  test.each<[string, typeof rootIdentity]>([
    ['the one who may read everything', rootIdentity],
    ['a tenant', tenantIdentity],
  ])(
    'When a directory that was named becomes a link to outside, then %s sends nothing from there',
    async (_who, source) => {
      const outside = await agent.kubelet.volume();
      await writeFile(join(outside.path, 'file'), 'of another tenant');
      await chmod(outside.path, 0o755);
      await chown(from.path, source.uid, source.gid);
      await mkdir(join(from.path, 'dir'));
      await sleep(SETTLED_MS);
      await survey('kept', from, source);
      await agent.push(from, to, { ...privileged, source });
      await keep();
      await writeFile(join(from.path, 'dir/other'), 'other');
      await survey('kept', from, source);
      expect(await pushChanged(source)).toMatchObject({ phase: 'Succeeded', scope: 'Changed' });
      await writeFile(join(from.path, 'dir/file'), 'own');
      await survey('kept', from, source);
      await rename(join(from.path, 'dir'), join(from.path, 'was-dir'));
      await symlink(outside.path, join(from.path, 'dir'));

      const state = await pushChanged(source);

      // Both files of the directory that has another name now, and no byte more.
      expect(state).toMatchObject({ phase: 'Succeeded', scope: 'All', literalBytes: 8 });
      expect(differences().filter(({ aspect }) => aspect !== 'owner')).toEqual([]);
    },
  );

  test('When a name is no more what it was, then all is compared; when it is gone, it is left for the next time', async () => {
    await mkdir(join(from.path, 'dir'));
    await sleep(SETTLED_MS);
    await survey('kept');
    await agent.push(from, to, privileged);
    await keep();
    await writeFile(join(from.path, 'dir/file'), 'x');
    await writeFile(join(from.path, 'soon-gone'), 'x');
    await survey('kept');
    await rm(join(from.path, 'soon-gone'));
    expect(await pushChanged()).toMatchObject({ phase: 'Succeeded', scope: 'Changed' });
    expect(await readdir(to.path)).toEqual(['dir']);

    await survey('kept');
    await rm(join(from.path, 'dir'), { recursive: true });
    await writeFile(join(from.path, 'dir'), 'a file');
    expect(await pushChanged()).toMatchObject({ phase: 'Succeeded', scope: 'All' });
    expect(await readFile(join(to.path, 'dir'), 'utf8')).toBe('a file');
  });
});
