import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

import { errorTable } from '@dr-syncer/api';
import type { Params } from '@dr-syncer/ssh';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { launch } from '../../identity/launch.js';
import { verifyProcess } from '../../identity/verify.js';
import { makeWorkbench, recordingLogger, type Workbench } from '../../server/testing/fixture.js';
import { VerifiedLauncher } from '../process/launch.js';
import { RsyncFacts } from '../rsync-facts.js';
import { NSS_WRAPPER, rootIdentity, tenantIdentity } from '../testing/agent.js';
import { TestKubelet, type TestVolume } from '../testing/kubelet.js';
import { VolumeLocator } from '../volumes/locate.js';
import { JobStore } from './job-store.js';
import { defaultPaceTimes } from './stream-pace.js';
import { Transfers, type TransfersOptions } from './transfers.js';

describe('Given the transfers of a node', () => {
  let bench: Workbench;
  let kubelet: TestKubelet;
  let volume: TestVolume;
  let hostKey: string;
  let transfers: Transfers;
  let ended: string[];
  let states: string;

  const make = (more: Partial<TransfersOptions> = {}) =>
    new Transfers({
      locator: new VolumeLocator({
        kubeletDir: kubelet.dir,
        hostPathPrefixes: [kubelet.localPathDir],
      }),
      rsync: new RsyncFacts('/usr/bin/rsync', '3.5.0'),
      push: {
        launcher: new VerifiedLauncher({ launch, verify: verifyProcess }, bench.dir),
        rsync: new RsyncFacts('/usr/bin/rsync', '3.5.0'),
        tools: { sshPath: '/usr/bin/ssh', nssWrapperPath: NSS_WRAPPER },
        jobsDir: join(bench.dir, 'jobs'),
      },
      surveys: { openNames: () => Promise.reject(new Error('there are none')) },
      splitter: { split: () => Promise.reject(new Error('nothing is split')) },
      paceTimes: defaultPaceTimes,
      store: new JobStore(states, recordingLogger([])),
      maxLive: 2,
      maxEnded: 2,
      keepEndedMs: 60_000,
      keepPreparedMs: 60_000,
      onEnded: ({ id }) => ended.push(id),
      ...more,
    });

  const prepared = (id: string) => ({ id, holder: `of-${id}`, volume: volume.ref, identity: rootIdentity });

  /** To a port where nobody listens. */
  const started = (id: string, host = '127.0.0.1'): Params<'transfers.start'> => ({
    id,
    destination: {
      host,
      port: 1,
      hostKeys: [hostKey],
      path: '/volume',
      identity: rootIdentity,
      rootModesAgree: true,
    },
    options: {
      delete: true,
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
      devices: false,
      fileCapabilities: false,
    },
  });

  beforeAll(async () => {
    bench = await makeWorkbench();
    await mkdir(join(bench.dir, 'jobs'));
    hostKey = (await bench.key('host')).line;
    kubelet = await TestKubelet.make();
    volume = await kubelet.volume();
  });

  beforeEach(async () => {
    states = await mkdtemp(join(bench.dir, 'states-'));
    ended = [];
    transfers = make();
  });

  afterEach(async () => {
    await transfers.closeAll();
  });

  afterAll(async () => {
    // Fails when a transfer has left its volume open.
    await kubelet.unmount(volume.path);
    await kubelet.remove();
    await bench.remove();
  });

  test('When the answer to prepare was lost, then it is the same again; another request is refused', async () => {
    const first = await transfers.prepare(prepared('a'));
    expect(first.publicKey).toMatch(/^ssh-ed25519 /);
    expect(first.volume.path).toBe(volume.path);
    expect(await transfers.prepare(prepared('a'))).toEqual(first);
    await expect(transfers.prepare({ ...prepared('a'), identity: tenantIdentity })).rejects.toMatchObject({
      code: 'BadRequest',
    });
    expect(inspect(transfers.get('a'), { depth: 10 })).not.toMatch(/PRIVATE|KeyObject/);
  });

  test('When the answer to start was lost, then it is not started twice; another request is refused', async () => {
    await transfers.prepare(prepared('a'));
    expect(transfers.start(started('a'))).toMatchObject({ phase: 'Connecting' });
    transfers.start(started('a'));
    const more = started('a');
    expect(() => transfers.start({ ...more, options: { ...more.options, checksum: true } })).toThrow(
      'started already',
    );
    expect(await transfers.get('a').ended).toMatchObject({
      phase: 'Failed',
      error: { code: 'AgentUnreachable' },
    });
    expect(transfers.start(started('a'))).toMatchObject({ phase: 'Failed' });
    await sleep(0);
    expect(ended).toEqual(['a']);
  });

  test.each(['-oProxyCommand=id', '-v', 'a b', 'a/b', 'host:path$(id)', '', '[::1]', 'x\ny'])(
    'When the host is %j, then nothing is started',
    async (host) => {
      await transfers.prepare(prepared('a'));
      expect(() => transfers.start(started('a', host))).toThrow('no name and no address');
      expect(transfers.get('a').state().phase).toBe('Prepared');
    },
  );

  test('When the host is an IPv6 address, then rsync and ssh take it for one', async () => {
    await transfers.prepare(prepared('a'));
    transfers.start(started('a', '::1'));
    const { error } = await transfers.get('a').ended;
    expect(error?.message).toMatch(/connect to host ::1 port 1/);
  });

  test('When as many are live as may be, then one more has to wait for an end', async () => {
    await transfers.prepare(prepared('a'));
    await transfers.prepare(prepared('b'));
    await expect(transfers.prepare(prepared('c'))).rejects.toMatchObject({ code: 'Busy' });
    expect(await transfers.forget('a')).toBe(true);
    expect(await transfers.forget('a')).toBe(false);
    await transfers.prepare(prepared('c'));
    expect(transfers.list().map(({ id }) => id)).toEqual(['b', 'c']);
    expect(() => transfers.get('a')).toThrow(expect.objectContaining({ code: 'TransferNotFound' }));
  });

  test('When transfers have ended, then the newest few are kept', async () => {
    for (const id of ['a', 'b', 'c', 'd']) {
      await transfers.prepare(prepared(id));
      transfers.start(started(id));
      await transfers.get(id).ended;
    }
    await sleep(0);
    expect(transfers.list().map(({ id }) => id)).toEqual(['c', 'd']);
    expect(errorTable[transfers.get('c').state().error?.code as keyof typeof errorTable].kind).toBe('retry');
  });

  test('When one is prepared and never started, then it is forgotten and its volume is free', async () => {
    const impatient = make({ keepPreparedMs: 5 });
    await impatient.prepare(prepared('a'));
    await sleep(20);
    await impatient.prepare(prepared('b'));
    expect(impatient.list().map(({ id }) => id)).toEqual(['b']);
    await impatient.closeAll();
  });

  test('When one is cancelled before it begins, then it has failed and its volume is free', async () => {
    await transfers.prepare(prepared('a'));
    const both = await Promise.all([transfers.get('a').cancel(), transfers.get('a').cancel()]);
    for (const state of both) expect(state).toMatchObject({ phase: 'Failed', error: { code: 'Cancelled' } });
    expect(() => transfers.start(started('a'))).toThrow('started already');
  });

  test('When the volume is not there, or rsync is too old for the identity, then nothing is prepared', async () => {
    await expect(
      transfers.prepare({ ...prepared('a'), volume: { podUid: 'f0', pvName: 'no' } }),
    ).rejects.toMatchObject({ code: 'VolumeNotFound' });
    const old = make({ rsync: new RsyncFacts('/usr/bin/rsync', '3.4.1') });
    await expect(old.prepare(prepared('a'))).rejects.toMatchObject({ code: 'RsyncTooOld' });
    await old.prepare({ ...prepared('a'), identity: tenantIdentity });
    await old.closeAll();
    await expect(old.prepare({ ...prepared('b'), identity: tenantIdentity })).rejects.toMatchObject({
      code: 'Busy',
    });
  });
});
