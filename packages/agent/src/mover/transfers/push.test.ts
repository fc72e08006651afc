import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';

import { type ControlConnection, type TransferState } from '@dr-syncer/ssh';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { compare, type Difference, snapshot } from '../../identity/testing/snapshot.js';
import { makeTree } from '../../identity/testing/tree.js';
import { metricValue } from '../../server/testing/fixture.js';
import { eventually } from '../../server/testing/process.js';
import { rootIdentity, TestAgent, tenantIdentity } from '../testing/agent.js';
import type { TestVolume } from '../testing/kubelet.js';
import { descendants, movers, rsyncServers } from '../testing/processes.js';

// Two cores and a dozen suites beside this one.
jest.setTimeout(20_000);

const privileged = { source: rootIdentity, destination: rootIdentity };
const unprivileged = { source: tenantIdentity, destination: tenantIdentity };

/** Labels and trusted attributes never cross clusters. */
function differences(from: TestVolume, to: TestVolume): Difference[] {
  return compare(snapshot(from.path), snapshot(to.path)).filter(({ aspect }) => aspect !== 'foreignXattrs');
}

describe('Given an agent with volumes', () => {
  let agent: TestAgent;
  let from: TestVolume;
  let to: TestVolume;
  let control: ControlConnection;

  const stateOf = (id: string) => control.peer.request('transfers.get', { id });
  const untilPhase = async (id: string, phase: TransferState['phase']) => {
    for (;;) {
      const state = await stateOf(id);
      if (state.phase === phase) return state;
      if (state.finishedAt !== undefined) throw new Error(`ended: ${JSON.stringify(state)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const ended = (id: string) => control.peer.request('transfers.watch', { id }, { timeoutMs: 0 });

  beforeAll(async () => {
    agent = await TestAgent.start();
  });

  beforeEach(async () => {
    from = await agent.kubelet.volume();
    to = await agent.kubelet.volume();
    control = await agent.control();
  });

  afterEach(async () => {
    const { transfers } = await control.peer.request('transfers.list', {});
    for (const { id } of transfers) {
      await control.peer.request('transfers.forget', { id });
      await control.peer.request('grants.close', { id });
    }
    control.close();
    await eventually(() => (movers().length === 0 ? true : undefined));
    expect(await readdir(join(agent.config.privateDir, 'jobs'))).toEqual([]);
    expect(await readdir(join(agent.config.privateDir, 'gates'))).toEqual([]);
    expect(await readdir(join(agent.config.socketDir, 'runs'))).toEqual([]);
  });

  afterAll(async () => {
    await agent.stop();
  });

  test('When a tree with everything in it is pushed with privileges, then the copy is identical', async () => {
    makeTree(from.path);
    await writeFile(join(to.path, 'extraneous'), 'goes');
    await mkdir(join(to.path, 'lost+found'));

    const first = await agent.push(from, to, privileged);

    expect(first).toMatchObject({
      phase: 'Succeeded',
      exitCode: 0,
      percent: 100,
      vanished: 0,
      filesDeleted: 1,
    });
    expect(first.error).toBeUndefined();
    expect(existsSync(join(to.path, 'lost+found'))).toBe(true);
    await rm(join(to.path, 'lost+found'), { recursive: true });
    await utimes(to.path, (await stat(from.path)).atime, (await stat(from.path)).mtime);
    expect(differences(from, to).filter(({ name, aspect }) => !(name === '.' && aspect === 'mtime'))).toEqual(
      [],
    );

    const again = await agent.push(from, to, privileged);
    expect(again).toMatchObject({
      phase: 'Succeeded',
      filesTransferred: 0,
      literalBytes: 0,
      filesDeleted: 0,
    });
    expect(differences(from, to)).toEqual([]);
    expect(
      await metricValue(agent.registry, 'dr_syncer_mover_transfers_total', { result: 'Succeeded' }),
    ).toBe(2);
  });

  test('When a file is written again within a second and with the same size, then it is sent', async () => {
    const file = join(from.path, 'file');
    await writeFile(file, 'one');
    await utimes(file, 1_700_000_000, 1_700_000_000.25);
    await agent.push(from, to, privileged);
    await writeFile(file, 'two');
    await utimes(file, 1_700_000_000, 1_700_000_000.75);

    const { filesTransferred } = await agent.push(from, to, privileged);

    expect(filesTransferred).toBe(1);
    expect(await readFile(join(to.path, 'file'), 'utf8')).toBe('two');
  });

  test('When the identity is a tenant without rights, then both rsyncs are that tenant and files arrive', async () => {
    for (const { path } of [from, to]) await chown(path, tenantIdentity.uid, tenantIdentity.gid);
    await writeFile(join(from.path, 'file'), Buffer.alloc(3_000_000, 'x'));
    await mkdir(join(from.path, 'dir'));
    await writeFile(join(from.path, 'dir/inner'), 'inner');

    const id = await agent.begin(control, from, to, {
      ...unprivileged,
      options: { bandwidthLimitKiB: 4_000 },
    });
    await untilPhase(id, 'Transferring');
    const running = movers().filter(({ comm }) => comm !== 'setpriv');
    expect(new Set(running.map(({ comm }) => comm))).toEqual(new Set(['rsync', 'ssh']));
    expect(new Set(running.map(({ uid }) => uid))).toEqual(new Set([tenantIdentity.uid]));
    const ssh = running.find(({ comm }) => comm === 'ssh');
    expect(await readFile(`/proc/${ssh?.pid}/status`, 'latin1')).toMatch(/^CapPrm:\s+0+$/m);

    expect(await ended(id)).toMatchObject({ phase: 'Succeeded', exitCode: 0 });
    expect(await readFile(join(to.path, 'dir/inner'), 'utf8')).toBe('inner');
    expect((await stat(join(to.path, 'file'))).uid).toBe(tenantIdentity.uid);
  });

  test('When ssh is started by a privileged rsync, then ssh has no capabilities', async () => {
    await writeFile(join(from.path, 'file'), Buffer.alloc(3_000_000, 'x'));
    const id = await agent.begin(control, from, to, { ...privileged, options: { bandwidthLimitKiB: 4_000 } });
    await untilPhase(id, 'Transferring');
    const status = descendants()
      .filter(({ comm }) => comm === 'ssh')
      .map(({ pid }) => pid);
    const text = await readFile(`/proc/${status[0]}/status`, 'latin1');
    expect(text).toMatch(/^CapPrm:\s+0+$/m);
    expect(text).toMatch(/^CapEff:\s+0+$/m);
    await ended(id);
  });

  test('When a file cannot be read, then it is named, the transfer is no success and nothing is deleted', async () => {
    for (const { path } of [from, to]) await chown(path, tenantIdentity.uid, tenantIdentity.gid);
    await writeFile(join(from.path, 'secret'), 'x');
    await chmod(join(from.path, 'secret'), 0o600);
    await writeFile(join(from.path, 'open'), 'y');
    await writeFile(join(to.path, 'old'), 'z');

    const state = await agent.push(from, to, unprivileged);

    expect(state).toMatchObject({ phase: 'Failed', exitCode: 23, error: { code: 'TransferPartial' } });
    expect(state.error?.message).toContain('"secret": Permission denied');
    expect(await readFile(join(to.path, 'open'), 'utf8')).toBe('y');
  });

  test('When a file vanishes during the transfer, then that is a success with a note', async () => {
    await writeFile(join(from.path, 'a'), Buffer.alloc(1_500_000, 'x'));
    await writeFile(join(from.path, 'z'), 'soon gone');
    const id = await agent.begin(control, from, to, { ...privileged, options: { bandwidthLimitKiB: 1_000 } });
    await untilPhase(id, 'Transferring');
    await rm(join(from.path, 'z'));
    expect(await ended(id)).toMatchObject({ phase: 'Succeeded', exitCode: 24, vanished: 1, percent: 100 });
  });

  test('When the destination is full, then that is what is said, and the old file is whole', async () => {
    to = await agent.kubelet.volume({ tmpfsBytes: 1_000_000 });
    await writeFile(join(to.path, 'big'), 'old');
    await writeFile(join(from.path, 'big'), Buffer.alloc(4_000_000, 'x'));
    const state = await agent.push(from, to, privileged);
    expect(state).toMatchObject({ phase: 'Failed', error: { code: 'DestinationFull' } });
    expect(await readFile(join(to.path, 'big'), 'utf8')).toBe('old');
  });

  test('When the destination is full of what has no source any more, then that goes first and the rest fits', async () => {
    to = await agent.kubelet.volume({ tmpfsBytes: 6_000_000 });
    await writeFile(join(to.path, 'file'), 'old');
    await writeFile(join(to.path, 'gone'), Buffer.alloc(2_000_000, 'x'));
    await mkdir(join(to.path, '.dr-syncer-partial'));
    await writeFile(join(to.path, '.dr-syncer-partial/other'), Buffer.alloc(2_000_000, 'y'));
    await writeFile(join(from.path, 'file'), randomBytes(4_000_000));
    expect(await agent.push(from, to, privileged)).toMatchObject({ phase: 'Succeeded' });
    expect(differences(from, to)).toEqual([]);
  });

  test('When the host key is another one, then nothing is sent', async () => {
    const other = await agent.bench.key('other');
    await writeFile(join(from.path, 'file'), 'x');
    const state = await agent.push(from, to, { ...privileged, hostKeys: [other.line] });
    expect(state).toMatchObject({ phase: 'Failed', error: { code: 'HostKeyMismatch' }, bytesSent: 0 });
    expect(await readdir(to.path)).toEqual([]);
  });

  test('When nobody listens there, then the destination is not reachable', async () => {
    const state = await agent.push(from, to, { ...privileged, port: 1 });
    expect(state).toMatchObject({ phase: 'Failed', error: { code: 'AgentUnreachable' } });
    expect(state.error?.message).toContain('Connection refused');
  });

  test('When the grant is for somebody else, then the key is refused', async () => {
    const id = await agent.begin(control, from, to, { ...privileged, grant: { from: ['192.0.2.1'] } });
    expect(await ended(id)).toMatchObject({ phase: 'Failed', error: { code: 'GrantNotFound' } });
  });

  test('When the receiving rsync stops working, then the stall ends the transfer', async () => {
    await writeFile(join(from.path, 'file'), Buffer.alloc(60_000_000, 'x'));
    const id = await agent.begin(control, from, to, {
      ...privileged,
      // The window of the connection takes some seconds of this before the sender notices.
      options: { bandwidthLimitKiB: 20_000, stallTimeoutSeconds: 5 },
    });
    await untilPhase(id, 'Transferring');
    for (const { pid } of rsyncServers()) process.kill(pid, 'SIGSTOP');
    const state = await ended(id);
    expect(state).toMatchObject({ phase: 'Failed', exitCode: 30, error: { code: 'TransferStalled' } });
  });

  test.each(['receiver', 'sender', 'ssh'])(
    'When the %s is killed in the middle, then the old file stays until the next run, which converges',
    async (victim) => {
      await writeFile(join(from.path, 'file'), Buffer.alloc(20_000_000, 'n'));
      await writeFile(join(to.path, 'file'), 'old');
      const options = { bandwidthLimitKiB: 8_000 };
      const id = await agent.begin(control, from, to, { ...privileged, options });
      await eventually(() => (readPartial(to.path) > 1_000_000 ? true : undefined));
      const pid = victims(victim);
      expect(pid.length).toBeGreaterThan(0);
      for (const one of pid) process.kill(one, 'SIGKILL');
      const state = await ended(id);
      expect(state.phase).toBe('Failed');
      expect(await readFile(join(to.path, 'file'), 'utf8')).toBe('old');

      expect(await agent.push(from, to, privileged)).toMatchObject({ phase: 'Succeeded' });
      expect(differences(from, to)).toEqual([]);
    },
  );

  test.each(['receiver', 'sender', 'ssh'])(
    'When the %s is killed and there may be another attempt, then it goes on by itself to the same end',
    async (victim) => {
      await writeFile(join(from.path, 'file'), randomBytes(20_000_000));
      const id = await agent.begin(control, from, to, {
        ...privileged,
        options: { bandwidthLimitKiB: 8_000, attempts: 3 },
      });
      await eventually(() => (readPartial(to.path) > 1_000_000 ? true : undefined));
      for (const one of victims(victim)) process.kill(one, 'SIGKILL');
      const waiting = await untilPhase(id, 'Waiting');
      expect(waiting.error?.code).toMatch(/AgentUnreachable|TransferFailed/);

      const state = await ended(id);

      expect(state).toMatchObject({ phase: 'Succeeded', attempt: 2 });
      expect(state.error).toBeUndefined();
      expect(differences(from, to)).toEqual([]);
    },
  );

  test('When nobody listens, then it is tried as often as it may be, and no more', async () => {
    const state = await agent.push(from, to, { ...privileged, port: 1, options: { attempts: 2 } });
    expect(state).toMatchObject({ phase: 'Failed', attempt: 2, error: { code: 'AgentUnreachable' } });
  });

  test('When a cause does not pass by itself, then it is not tried again', async () => {
    const options = { attempts: 5 };
    const id = await agent.begin(control, from, to, {
      ...privileged,
      options,
      grant: { from: ['192.0.2.1'] },
    });
    expect(await ended(id)).toMatchObject({ attempt: 1, error: { code: 'GrantNotFound' } });
  });

  test('When it is cancelled between two attempts, then there is no other one', async () => {
    const id = await agent.begin(control, from, to, { ...privileged, port: 1, options: { attempts: 9 } });
    await untilPhase(id, 'Waiting');
    const state = await control.peer.request('transfers.cancel', { id });
    expect(state).toMatchObject({ phase: 'Failed', error: { code: 'Cancelled' } });
  });

  test('When files may not be read, then the first are named with the permission that is missing', async () => {
    await writeFile(join(from.path, 'open'), 'x', { mode: 0o644 });
    await writeFile(join(from.path, 'secret'), 'x', { mode: 0o600 });
    await chmod(from.path, 0o755);
    await chown(to.path, tenantIdentity.uid, tenantIdentity.gid);
    const state = await agent.push(from, to, unprivileged);
    expect(state).toMatchObject({
      phase: 'Failed',
      exitCode: 23,
      error: { code: 'TransferPartial' },
      failures: [{ path: 'secret', side: 'sender', needs: expect.stringContaining('CAP_DAC_READ_SEARCH') }],
    });
    expect(state.error?.message).toContain('Missing: read permission');
    expect(existsSync(join(to.path, 'open'))).toBe(true);
  });

  test('When it is cancelled, then it ends at once and the next run goes on from what is there', async () => {
    await writeFile(join(from.path, 'file'), randomBytes(20_000_000));
    const id = await agent.begin(control, from, to, { ...privileged, options: { bandwidthLimitKiB: 8_000 } });
    await eventually(() => (readPartial(to.path) > 3_000_000 ? true : undefined));
    const state = await control.peer.request('transfers.cancel', { id });
    expect(state).toMatchObject({ phase: 'Failed', error: { code: 'Cancelled' } });

    await eventually(() => (existsSync(join(to.path, '.dr-syncer-partial/file')) ? true : undefined));
    const next = await agent.push(from, to, privileged);
    expect(next.phase).toBe('Succeeded');
    expect(next.literalBytes).toBeLessThan(19_000_000);
    expect(differences(from, to)).toEqual([]);
  });

  test('When the grant has a rate, then it is kept, and a new one holds from then on', async () => {
    await writeFile(join(from.path, 'file'), randomBytes(12_000_000));
    const id = await agent.begin(control, from, to, { ...privileged, grant: { bytesPerSecond: 2_000_000 } });
    const began = performance.now();
    await eventually(() => (readPartial(to.path) > 3_000_000 ? true : undefined));
    expect(performance.now() - began).toBeGreaterThan(1_000);
    expect(await control.peer.request('grants.pace', { id, bytesPerSecond: 1_000_000_000 })).toEqual({
      paced: true,
    });
    const state = await ended(id);
    expect(state.phase).toBe('Succeeded');
    // 6 s at the first rate.
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(await control.peer.request('grants.pace', { id: 'none', bytesPerSecond: 1_024 })).toEqual({
      paced: false,
    });
  });

  test('When the total time is over, then it is ended', async () => {
    await writeFile(join(from.path, 'file'), Buffer.alloc(20_000_000, 'x'));
    const options = { bandwidthLimitKiB: 2_000, totalTimeoutSeconds: 1 };
    const state = await agent.push(from, to, { ...privileged, options });
    expect(state).toMatchObject({ phase: 'Failed', error: { code: 'Timeout' } });
  });

  test('When what a deleting run left over of a broken one has no file any more, then it goes', async () => {
    await mkdir(join(to.path, 'dir/.dr-syncer-partial'), { recursive: true });
    await writeFile(join(to.path, 'dir/.dr-syncer-partial/gone'), 'x');
    await mkdir(join(from.path, 'dir'));
    await agent.push(from, to, { ...privileged, options: { delete: false } });
    expect(existsSync(join(to.path, 'dir/.dr-syncer-partial/gone'))).toBe(true);
    await agent.push(from, to, privileged);
    expect(existsSync(join(to.path, 'dir/.dr-syncer-partial'))).toBe(false);
  });

  test('When paths are excluded, then they are neither sent nor deleted, whatever they look like', async () => {
    for (const name of ['cache', '!', '+ plus', 'kept']) await writeFile(join(from.path, name), 'new');
    for (const name of ['cache', 'old']) await writeFile(join(to.path, name), 'old');
    const excludePaths = ['/cache', '!', '+ plus'];
    await agent.push(from, to, { ...privileged, options: { excludePaths } });
    expect((await readdir(to.path)).sort()).toEqual(['cache', 'kept']);
    expect(await readFile(join(to.path, 'cache'), 'utf8')).toBe('old');
  });

  test('When it is watched, then states come a few times a second, forward, and with a rate and an end', async () => {
    await writeFile(join(from.path, 'file'), Buffer.alloc(6_000_000, 'x'));
    await writeFile(join(from.path, 'small'), 'x');
    await truncate(join(from.path, 'small'), 100_000);
    const seen: { readonly at: number; readonly state: TransferState }[] = [];
    control.peer.on('transfer', (state) => seen.push({ at: Date.now(), state }));
    const id = await agent.begin(control, from, to, { ...privileged, options: { bandwidthLimitKiB: 3_000 } });
    const last = await ended(id);

    expect(seen.length).toBeGreaterThan(3);
    // Counted, since on a busy machine two can arrive together: at most one in 250 ms, and those of start and end.
    const milliseconds = (seen.at(-1)?.at ?? 0) - (seen[0]?.at ?? 0);
    expect(seen.length).toBeLessThanOrEqual(milliseconds / 250 + 4);
    const percents = seen.flatMap(({ state }) => state.percent ?? []);
    expect(percents).toEqual([...percents].sort((a, b) => a - b));
    const middle = seen.find(
      ({ state }) => state.phase === 'Transferring' && (state.percent ?? 0) > 20,
    )?.state;
    expect(middle?.bytesPerSecond).toBeGreaterThan(0);
    expect(middle?.bytesPerSecond).toBeLessThan(9_000_000);
    expect(last).toMatchObject({
      phase: 'Succeeded',
      bytesTotal: 6_100_000,
      filesTotal: 3,
      filesTransferred: 2,
    });
    expect(Date.parse(last.firstByteAt ?? '')).toBeGreaterThanOrEqual(Date.parse(last.startedAt ?? ''));
    expect(Date.parse(last.firstByteAt ?? '')).toBeLessThan(Date.parse(last.finishedAt ?? ''));
  });
});

function victims(kind: string): number[] {
  if (kind === 'receiver') return rsyncServers().map(({ pid }) => pid);
  if (kind === 'ssh')
    return movers()
      .filter(({ comm }) => comm === 'ssh')
      .map(({ pid }) => pid);
  return movers()
    .filter(({ comm, args }) => comm === 'rsync' && !args.includes('--server'))
    .map(({ pid }) => pid);
}

/** Size of rsync's temporary file. */
function readPartial(dir: string): number {
  const name = readdirSync(dir).find((entry) => entry.startsWith('.file.'));
  return name === undefined ? 0 : (statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0);
}
