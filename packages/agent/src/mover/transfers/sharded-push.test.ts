import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { chmod, chown, link, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Identity } from '@dr-syncer/api';
import type { ControlConnection, TransferState } from '@dr-syncer/ssh';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { compare, snapshot } from '../../identity/testing/snapshot.js';
import { makeTree } from '../../identity/testing/tree.js';
import { eventually } from '../../server/testing/process.js';
import { rootIdentity, TestAgent, tenantIdentity } from '../testing/agent.js';
import type { TestVolume } from '../testing/kubelet.js';
import { movers, rsyncServers } from '../testing/processes.js';

// Two cores and a dozen suites beside this one.
jest.setTimeout(120_000);

const privileged = { source: rootIdentity, destination: rootIdentity };
const MIB = 2 ** 20;
/** Each stream has its part of a limit, so all begin at once. */
const STREAMS = { streams: 4, bandwidthLimitKiB: 4_000_000 };

/** Everything that can be lost, and enough files for every stream to have some of each directory. */
async function nastyTree(root: string): Promise<void> {
  makeTree(root);
  for (let dir = 0; dir < 6; dir += 1) {
    const path = join(root, `many-${dir}`, 'deeper');
    await mkdir(path, { recursive: true });
    for (let file = 0; file < 30; file += 1) {
      const name = join(path, `file-${file}`);
      await writeFile(name, randomBytes(1 + file * 977));
      await chown(name, 1000 + file, 2000 + dir);
      await utimes(name, 1_600_000_000 + file, 1_600_000_000.123 + file);
      if (file % 10 === 0) await link(name, join(root, `link-${dir}-${file}`));
    }
    await chmod(path, [0o755, 0o2775, 0o555, 0o1777, 0o700, 0o2550][dir] ?? 0o755);
    await utimes(path, 1_500_000_000, 1_500_000_000 + dir);
    await utimes(join(root, `many-${dir}`), 1_500_000_000, 1_400_000_000 + dir);
  }
  for (let file = 0; file < 8; file += 1)
    await writeFile(join(root, `big-${file}`), randomBytes(2 * MIB + file));
}

describe('Given an agent that may use several streams', () => {
  let agent: TestAgent;
  let from: TestVolume;
  let control: ControlConnection;

  const volumeOf = async ({ uid, gid }: Identity, mode = 0o755): Promise<TestVolume> => {
    const volume = await agent.kubelet.volume();
    await chown(volume.path, uid, gid);
    await chmod(volume.path, mode);
    return volume;
  };
  const ended = (id: string) => control.peer.request('transfers.watch', { id }, { timeoutMs: 0 });
  const differences = (to: TestVolume) =>
    compare(snapshot(from.path), snapshot(to.path)).filter(({ aspect }) => aspect !== 'foreignXattrs');
  const senders = () => movers().filter(({ comm, args }) => comm === 'rsync' && !args.includes('--server'));
  /** Sending rsyncs fork no others, so one is one stream. */
  const untilStreams = (count: number) =>
    eventually(
      () => (rsyncServers().length >= 2 * count && senders().length >= count ? true : undefined),
      20_000,
    );
  const bigFiles = async (count: number, bytes: number) => {
    for (let file = 0; file < count; file += 1)
      await writeFile(join(from.path, `big-${file}`), randomBytes(bytes));
  };

  beforeAll(async () => {
    agent = await TestAgent.start(undefined, { paceTimes: { warmMs: 20, windowMs: 50 } });
  });

  beforeEach(async () => {
    from = await agent.kubelet.volume();
    control = await agent.control();
  });

  afterEach(async () => {
    const { transfers } = await control.peer.request('transfers.list', {});
    for (const { id } of transfers) {
      await control.peer.request('transfers.forget', { id });
      await control.peer.request('grants.close', { id });
    }
    control.close();
    await eventually(() => (movers().length === 0 ? true : undefined), 20_000);
    const left = await readdir(join(agent.config.surveyDir, 'surveys'), { recursive: true });
    expect(left.filter((name) => name.includes('shard'))).toEqual([]);
  });

  afterAll(async () => {
    await agent.stop();
  });

  test('When a tree with everything in it is sent by four, then the copy is identical, and deletions and all else happen once', async () => {
    await nastyTree(from.path);
    const to = await volumeOf(rootIdentity);
    await mkdir(join(to.path, 'many-0/extraneous'), { recursive: true });
    await writeFile(join(to.path, 'many-0/extraneous/file'), 'goes');

    const state = await agent.push(from, to, { ...privileged, options: STREAMS });

    expect(state).toMatchObject({
      phase: 'Succeeded',
      exitCode: 0,
      percent: 100,
      streams: 4,
      filesDeleted: 2,
    });
    expect(differences(to)).toEqual([]);
    const alone = await volumeOf(rootIdentity);
    const one = await agent.push(from, alone, privileged);
    expect(one.streams).toBeUndefined();
    for (const same of ['filesTotal', 'filesTransferred', 'literalBytes', 'bytesTotal'] as const)
      expect([same, state[same]]).toEqual([same, one[same]]);
    const again = await agent.push(from, to, { ...privileged, options: STREAMS });
    expect(again).toMatchObject({
      phase: 'Succeeded',
      filesTransferred: 0,
      literalBytes: 0,
      filesDeleted: 0,
    });
    expect(differences(to)).toEqual([]);
  });

  test.each<[string, number, Partial<Identity>]>([
    ['a plain volume', 0o755, {}],
    ['a volume of its group', 0o2775, { fsGroup: 1000690005, groups: [1000690000, 1000690005] }],
  ])(
    'When it is sent to a tenant in %s, then the copy is what one stream makes of it',
    async (_title, mode, more) => {
      await nastyTree(from.path);
      const destination = { ...tenantIdentity, ...more };
      const push = { source: rootIdentity, destination };
      const group = more.fsGroup ?? destination.gid;
      const [one, four] = [
        await volumeOf({ ...destination, gid: group }, mode),
        await volumeOf({ ...destination, gid: group }, mode),
      ];

      const alone = await agent.push(from, one, push);
      const state = await agent.push(from, four, { ...push, options: STREAMS });

      expect([state.phase, state.exitCode, state.error]).toEqual([alone.phase, alone.exitCode, alone.error]);
      expect(state.streams).toBe(4);
      const isDirectory = (type = '') => type.startsWith('40000');
      const first = snapshot(one.path);
      expect(first.size).toBeGreaterThan(220);
      // This receiver keeps no times of directories: they are those of the push.
      const unlike = compare(first, snapshot(four.path)).filter(
        ({ name, aspect }) => aspect !== 'mtime' || !isDirectory(first.get(name)?.type),
      );
      expect(unlike).toEqual([]);
    },
  );

  test('When nothing is known of the line, then it begins with one, tries more, and keeps to what it found', async () => {
    await bigFiles(16, 12 * MIB);
    const to = await volumeOf(rootIdentity);
    const seen: TransferState[] = [];
    control.peer.on('transfer', (state) => seen.push(state));
    const id = await agent.begin(control, from, to, { ...privileged, options: { streams: 4 } });
    const last = await ended(id);

    expect(last.phase).toBe('Succeeded');
    expect(last.streams).toBeGreaterThanOrEqual(1);
    expect(differences(to)).toEqual([]);
    for (const what of ['percent', 'bytesDone'] as const) {
      const values = seen.flatMap((state) => state[what] ?? []);
      expect(values).toEqual([...values].sort((a, b) => a - b));
    }
    for (const { bytesDone, bytesTotal = bytesDone } of seen)
      expect(bytesDone).toBeLessThanOrEqual(bytesTotal);
    expect(last).toMatchObject({ bytesDone: last.bytesTotal, literalBytes: last.bytesTotal });
  });

  test.each(['sender', 'receiver', 'ssh'])(
    'When the %s of one stream is killed, then the others go on, and the next attempt sends what is missing',
    async (kind) => {
      await bigFiles(24, 3 * MIB);
      const to = await volumeOf(rootIdentity);
      const options = { streams: 3, bandwidthLimitKiB: 9_000, attempts: 4 };
      const id = await agent.begin(control, from, to, { ...privileged, options });
      await untilStreams(3);
      const [victim] = victims(kind);
      if (victim === undefined) throw new Error('nothing to kill');
      process.kill(victim, 'SIGKILL');
      const state = await ended(id);

      expect(state).toMatchObject({ phase: 'Succeeded', attempt: 2, streams: 3 });
      expect(differences(to)).toEqual([]);
    },
  );

  test('When the mover is restarted in the middle, then its lists are gone, and the next run goes on', async () => {
    await bigFiles(12, 2 * MIB);
    const to = await volumeOf(rootIdentity);
    const options = { streams: 3, bandwidthLimitKiB: 6_000 };
    await agent.begin(control, from, to, { ...privileged, options });
    await untilStreams(3);
    await writeFile(
      join(
        agent.config.surveyDir,
        'surveys',
        (await readdir(join(agent.config.surveyDir, 'surveys')))[0] ?? '',
        'shard-99',
      ),
      'left',
    );
    control.close();
    await agent.restartMover();
    control = await agent.control();
    const next = await agent.push(from, to, { ...privileged, options: STREAMS });
    expect(next).toMatchObject({ phase: 'Succeeded', streams: 4 });
    expect(differences(to)).toEqual([]);
  });

  test('When it is cancelled, then all streams end at once, and the next run goes on from what is there', async () => {
    await bigFiles(12, 2 * MIB);
    const to = await volumeOf(rootIdentity);
    const options = { streams: 3, bandwidthLimitKiB: 6_000 };
    const id = await agent.begin(control, from, to, { ...privileged, options });
    await untilStreams(3);
    await eventually(() => (readFinished(to.path) > 1 ? true : undefined), 20_000);
    expect(await control.peer.request('transfers.cancel', { id })).toMatchObject({
      ...{ phase: 'Failed', error: { code: 'Cancelled' } },
    });
    expect(senders()).toEqual([]);
    await eventually(() => (rsyncServers().length === 0 ? true : undefined), 20_000);

    const next = await agent.push(from, to, { ...privileged, options: STREAMS });
    expect(next.phase).toBe('Succeeded');
    expect(next.literalBytes).toBeLessThan(23 * MIB);
    expect(differences(to)).toEqual([]);
  });

  test('When the grant is closed, then all streams end, and none comes back', async () => {
    await bigFiles(12, 2 * MIB);
    const to = await volumeOf(rootIdentity);
    const options = { streams: 3, bandwidthLimitKiB: 3_000 };
    const id = await agent.begin(control, from, to, { ...privileged, options });
    await untilStreams(3);
    await control.peer.request('grants.close', { id });
    expect((await ended(id)).phase).toBe('Failed');
    await eventually(() => (rsyncServers().length === 0 ? true : undefined), 20_000);
  });

  test('When the time is over, then all streams end', async () => {
    await bigFiles(12, 2 * MIB);
    const to = await volumeOf(rootIdentity);
    const options = { streams: 3, bandwidthLimitKiB: 3_000, totalTimeoutSeconds: 2 };
    const state = await agent.push(from, to, { ...privileged, options });
    expect(state).toMatchObject({ phase: 'Failed', error: { code: 'Timeout' } });
    expect(senders()).toEqual([]);
  });

  test('When there is a limit, then all streams together keep it', async () => {
    await bigFiles(12, MIB);
    const to = await volumeOf(rootIdentity);
    const began = performance.now();
    await agent.push(from, to, { ...privileged, options: { streams: 4, bandwidthLimitKiB: 3_072 } });
    // 12 MiB at 3 MiB/s; rsync lets the first of it through at once.
    expect(performance.now() - began).toBeGreaterThan(2_500);
  });

  test('When the destination is full of what has no source, then there is room for all in the end', async () => {
    const to = await agent.kubelet.volume({ tmpfsBytes: 24 * MIB });
    await writeFile(join(to.path, 'old'), randomBytes(16 * MIB));
    await bigFiles(8, 2 * MIB);
    const state = await agent.push(from, to, { ...privileged, options: STREAMS });
    expect(state.phase).toBe('Succeeded');
    expect(differences(to)).toEqual([]);
  });

  test('When some files cannot be read, then they are named once, and all else is there', async () => {
    await bigFiles(8, MIB);
    await chmod(from.path, 0o755);
    for (const file of await readdir(from.path))
      await chmod(join(from.path, file), file === 'big-3' ? 0o600 : 0o644);
    const to = await volumeOf(tenantIdentity);
    const push = { source: tenantIdentity, destination: tenantIdentity, options: STREAMS };
    const state = await agent.push(from, to, push);
    expect(state).toMatchObject({ phase: 'Failed', exitCode: 23, error: { code: 'TransferPartial' } });
    expect(state.failures?.map(({ path }) => path)).toEqual(['big-3']);
    expect((await readdir(to.path)).length).toBe(7);
  });

  test('When a directory that was listed becomes a link to outside, then nothing from there is copied', async () => {
    const outside = await agent.kubelet.volume();
    await writeFile(join(outside.path, 'file-0'), 'of another tenant');
    await mkdir(join(from.path, 'dir'));
    for (let file = 0; file < 4; file += 1)
      await writeFile(join(from.path, `dir/file-${file}`), randomBytes(MIB));
    await bigFiles(8, MIB);
    const to = await volumeOf(rootIdentity);
    const swap = () => {
      renameSync(join(from.path, 'dir'), join(from.path, 'was-dir'));
      symlinkSync(outside.path, join(from.path, 'dir'));
    };
    const swapped = whenListed(join(agent.config.surveyDir, 'surveys'), swap);
    const state = await agent.push(from, to, { ...privileged, options: STREAMS });
    await swapped;

    expect(state).toMatchObject({ phase: 'Succeeded', literalBytes: 12 * MIB });
    expect(differences(to)).toEqual([]);
    expect(await readdir(outside.path)).toEqual(['file-0']);
  });
});

function victims(kind: string): number[] {
  if (kind === 'receiver') return rsyncServers().map(({ pid }) => pid);
  return movers()
    .filter(({ comm, args }) =>
      kind === 'ssh' ? comm === 'ssh' : comm === 'rsync' && !args.includes('--server'),
    )
    .map(({ pid }) => pid);
}

/** Files that are whole. */
function readFinished(dir: string): number {
  return readdirSync(dir).filter((name) => name.startsWith('big-')).length;
}

/** As the first list of names is there: whoever listed it has seen what was before. */
async function whenListed(surveys: string, act: () => void): Promise<void> {
  for (;;) {
    const names = readdirSync(surveys, { recursive: true, encoding: 'utf8' });
    const lists = names.filter((name) => name.includes('/shard-')).map((name) => join(surveys, name));
    if (lists.some((name) => (statSync(name, { throwIfNoEntry: false })?.size ?? 0) > 0)) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  act();
}
