import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import {
  type ControlConnection,
  connectControl,
  type Grant,
  parseAuthorizedKeys,
  parsePrivateKey,
  type Result,
  sshLimitsSchema,
  type TransferState,
} from '@dr-syncer/ssh';
import { Registry } from 'prom-client';

import { verifyChain } from '../audit/chain.js';
import {
  type AuditRecord,
  type LogLine,
  makeWorkbench,
  metricValue,
  recordingLogger,
  rsh,
  type TestKey,
  type Workbench,
} from '../server/testing/fixture.js';
import { eventually, run } from '../server/testing/process.js';
import { fenceDigest } from './fence.js';
import { runSshContainer } from './run-ssh-container.js';
import { SmallMover } from './testing/small-mover.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

describe('Given the ssh container with a mover beside it', () => {
  let bench: Workbench;
  let mover: SmallMover;
  let controllerKey: TestKey;
  let hostKey: TestKey;
  let transferKey: TestKey;
  let port: number;
  let ready: () => boolean;
  let abort: AbortController;
  let ended: Promise<void>;
  let control: ControlConnection;
  let registry: Registry;
  const log: LogLine[] = [];
  const auditLines: string[] = [];

  const audit = (event: string) =>
    auditLines.map((line) => JSON.parse(line) as AuditRecord).filter((record) => record.audit === event);

  const grantOf = (id: string, more: Partial<Grant> = {}): Grant => ({
    id,
    publicKey: transferKey.line,
    volume: { podUid: '0b5c0f3e-aaaa-bbbb-cccc-000000000000', pvName: 'pv-1' },
    direction: 'write',
    allowDelete: true,
    from: [],
    expiresAt: new Date(Date.now() + 60_000).toISOString(),
    identity: { uid: 1, gid: 1, groups: [1], capabilities: [], umask: '0007', privileged: false },
    preserve: { devices: false, fileCapabilities: false },
    holder: 'holder',
    streams: 4,
    ...more,
  });

  const openControl = async (key = controllerKey) =>
    connectControl({
      host: '127.0.0.1',
      port,
      privateKey: parsePrivateKey(await readFile(key.file, 'utf8')),
      hostKeys: [hostKey.line],
    });

  const push = (path: string, extra: readonly string[] = []) =>
    run('rsync', [
      '-a',
      ...extra,
      '-e',
      rsh(port, transferKey.file),
      `${bench.dir}/src/`,
      `drsyncer@127.0.0.1:${path}/`,
    ]);

  beforeAll(async () => {
    bench = await makeWorkbench();
    controllerKey = await bench.key('controller', 'rsa', 3072);
    hostKey = await bench.key('host');
    transferKey = await bench.key('transfer');
    await mkdir(join(bench.dir, 'src'));
    await mkdir(join(bench.dir, 'fence'));
    await writeFile(join(bench.dir, 'src/file'), 'hello');
    await writeFile(join(bench.dir, 'src/big'), Buffer.alloc(8_000_000));
    mover = new SmallMover(bench.dir, join(bench.dir, 'volumes'));
    await mover.start();
    const authorizedKeysFile = join(bench.dir, 'authorized_keys');
    await writeFile(authorizedKeysFile, `restrict,command="dr-syncer-control" ${controllerKey.line}\n`);
    abort = new AbortController();
    registry = new Registry();
    const auditSink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        auditLines.push(chunk.toString().trimEnd());
        done();
      },
    });
    await new Promise<void>((resolve, reject) => {
      ended = runSshContainer(
        {
          host: '127.0.0.1',
          port: 0,
          hostKeyFiles: [hostKey.file],
          authorizedKeysFile,
          fenceFile: join(bench.dir, 'fence/volumes'),
          moverSocket: mover.socketPath,
          limits: sshLimitsSchema.parse({ grants: 2 }),
          nodeName: 'node-1',
          version: '1.2.3',
        },
        {
          signal: abort.signal,
          logger: recordingLogger(log),
          registry,
          auditSink,
          onListening: (address, isReady) => {
            port = address.port;
            ready = isReady;
            resolve();
          },
        },
      );
      ended.catch(reject);
    });
    await eventually(() => (ready() ? true : undefined));
  });

  beforeEach(async () => {
    control = await openControl();
  });

  afterEach(async () => {
    const { grants } = await control.peer.request('grants.list', {});
    for (const { id } of grants) await control.peer.request('grants.close', { id });
    control.close();
    await control.closed;
  });

  afterAll(async () => {
    abort.abort();
    await ended;
    await mover.stop();
    await bench.remove();
  });

  test("When the controller says hello, then node and version are this container's and rsync the mover's", async () => {
    const hello = await control.peer.request('hello', {});
    expect(hello).toMatchObject({ protocol: 1, node: 'node-1', version: '1.2.3', rsyncVersion: '3.5.0' });
  });

  test('when asked for metrics, it gives its own, though the mover has none to give', async () => {
    const { families } = await control.peer.request('metrics', {});

    expect(families.map(({ name }) => name)).toContain('dr_syncer_ssh_grants');
  });

  test('When OpenSSH asks for the grants with the controller key, then they come as lines of authorized_keys', async () => {
    const grant = grantOf('listed', {
      from: ['127.0.0.1', '10.0.0.0/8'],
      direction: 'read',
      allowDelete: false,
    });
    const { path } = await control.peer.request('grants.open', grant);
    // As the reference page says it.
    const request = '{"t":"request","id":1,"method":"grants.list","params":{}}';
    const ssh = `${rsh(port, controllerKey.file)} drsyncer@127.0.0.1 dr-syncer-control`;
    const ran = await run('sh', ['-c', `(echo '${request}'; sleep 1) | ${ssh}`]);
    const answer = JSON.parse(ran.stdout) as { result: Result<'grants.list'> };
    expect(answer.result.grants).toEqual([
      {
        id: 'listed',
        expiresAt: grant.expiresAt,
        line: expect.stringContaining(transferKey.line.split(' ')[1] ?? ''),
      },
    ]);
    const { keys, problems } = parseAuthorizedKeys(answer.result.grants[0]?.line ?? '');
    expect(problems).toEqual([]);
    expect(keys[0]).toMatchObject({
      comment: 'listed',
      options: {
        restrict: true,
        command: { kind: 'confined', direction: 'read', allowDelete: false, dir: path },
        from: [{ text: '127.0.0.1' }, { text: '10.0.0.0/8' }],
        expiresAt: new Date(Math.floor(Date.parse(grant.expiresAt) / 1000) * 1000),
      },
    });
  });

  test('When a grant is open, then its key pushes into its volume through the mover, and only that', async () => {
    const origins = { uid: 'spec.moverSecurityContext.runAsUser' };
    const { path, user } = await control.peer.request('grants.open', grantOf('g1', { origins }));
    expect(audit('grant').at(-1)).toMatchObject({
      ...{ outcome: 'opened', uid: 1, gid: 1, groups: '1', capabilities: '' },
      identity_origins: 'uid: spec.moverSecurityContext.runAsUser',
    });
    expect(user).toBe('drsyncer');
    const { grants } = await control.peer.request('grants.list', {});
    expect(grants).toHaveLength(1);
    expect(grants[0]?.line).toContain('command="dr-syncer-rsync --write-only');
    expect(await metricValue(registry, 'dr_syncer_ssh_grants')).toBe(1);

    const pushed = await push(path, ['--delete']);
    expect(pushed).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(join(bench.dir, 'volumes/pv-1/file'), 'utf8')).toBe('hello');
    expect(mover.argvs.at(-1)?.[0]).toBe('--server');

    const elsewhere = await push(`${path}x`);
    expect(elsewhere.stderr).toContain('PathNotAllowed');
    const end = await eventually(() => audit('end').at(-1));
    expect(end).toMatchObject({ grant: 'g1', exit_code: 0 });
  });

  test('When rsync fails at the volume, then its exit code and message reach the client', async () => {
    const { path } = await control.peer.request(
      'grants.open',
      grantOf('g2', { volume: { podUid: 'a', pvName: 'pv-2' } }),
    );
    await writeFile(join(bench.dir, 'volumes/pv-2'), 'not a directory');
    const pushed = await push(path);
    expect(pushed.code).not.toBe(0);
  });

  test('When the grant is closed, then a running transfer ends and the key is refused', async () => {
    const { path } = await control.peer.request('grants.open', grantOf('g3'));
    await writeFile(join(bench.dir, 'src/slow'), Buffer.alloc(4_000_000, 1));
    const running = push(path, ['--bwlimit=100']);
    await eventually(() => (mover.runs > 0 ? true : undefined));
    expect(await control.peer.request('grants.close', { id: 'g3' })).toEqual({ closed: true });
    expect((await running).code).not.toBe(0);
    await eventually(() => (mover.runs === 0 ? true : undefined));
    expect(mover.grants).not.toContain('g3');

    const replay = await push(path);
    expect(replay.stderr).toContain('Permission denied');
    expect(audit('authentication').at(-1)).toMatchObject({ outcome: 'failure', reason: 'Expired' });
    expect(await control.peer.request('grants.close', { id: 'g3' })).toEqual({ closed: false });
  });

  describe('and a fence file', () => {
    const fenceFile = () => join(bench.dir, 'fence/volumes');
    const openGrant = (id: string, more: Partial<Grant> = {}) =>
      control.peer.request('grants.open', grantOf(id, more));
    const fenceBecomes = async (digest: string): Promise<void> => {
      for (let tries = 0; tries < 500; tries += 1) {
        const metric = await registry.getSingleMetric('dr_syncer_ssh_fence')?.get();
        if (metric?.values[0]?.labels['digest'] === digest) return;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error(`the fence did not become ${digest}`);
    };
    const fenced = async (text: string, digest: string) => {
      await writeFile(fenceFile(), text);
      await fenceBecomes(digest);
    };

    afterEach(async () => {
      await rm(fenceFile(), { force: true });
      await fenceBecomes(fenceDigest(new Set()));
    });

    test('When a volume is fenced, then what writes to it ends, no grant can be opened, and others go on', async () => {
      await openGrant('g-fence-1');

      await fenced('# an active standby\npv-1\n', fenceDigest(new Set(['pv-1'])));

      await eventually(() => audit('grant').some(({ reason }) => reason === 'Fenced') || undefined);
      expect((await control.peer.request('grants.list', {})).grants).toEqual([]);
      await expect(openGrant('g-fence-2')).rejects.toMatchObject({ code: 'VolumeFenced' });
      const other = { podUid: '0b5c0f3e-aaaa-bbbb-cccc-000000000000', pvName: 'pv-2' };
      await openGrant('g-fence-3', { volume: other });
      await control.peer.request('grants.close', { id: 'g-fence-3' });
    });

    test('When a volume is fenced, then it can still be read from', async () => {
      await fenced('pv-1', fenceDigest(new Set(['pv-1'])));

      await openGrant('g-fence-4', { direction: 'read' });
      expect(await control.peer.request('grants.close', { id: 'g-fence-4' })).toEqual({ closed: true });
    });

    test.each([
      ['has a line that is no name', 'pv-1\n../etc\n'],
      ['is too long', 'a'.repeat(2 * 1024 * 1024)],
    ])('When the file %s, then every volume is fenced', async (_what, text) => {
      await fenced(text, 'broken');

      await expect(openGrant('g-fence-5')).rejects.toMatchObject({
        code: 'VolumeFenced',
        message: expect.stringContaining("can't be read") as unknown,
      });
    });
  });

  test('When a grant expires, then it is gone and its transfer with it', async () => {
    const expiresAt = new Date(Date.now() + 2_000).toISOString();
    const { path } = await control.peer.request('grants.open', grantOf('g4', { expiresAt }));
    await writeFile(join(bench.dir, 'src/slow'), Buffer.alloc(4_000_000, 2));
    const running = await push(path, ['--bwlimit=100', '--ignore-times']);
    expect(running.code).not.toBe(0);
    await eventually(() => (mover.grants.includes('g4') ? undefined : true));
    expect((await control.peer.request('grants.list', {})).grants).toEqual([]);
  });

  test('When the same grant is opened again, then the answer is the same; another one takes its place', async () => {
    const grant = grantOf('g5');
    const first = await control.peer.request('grants.open', grant);
    expect(await control.peer.request('grants.open', grant)).toEqual(first);
    await control.peer.request('grants.open', { ...grant, direction: 'read' });
    const { grants } = await control.peer.request('grants.list', {});
    expect(grants.map((g) => g.line)).toEqual([expect.stringContaining('--read-only')]);
  });

  test.each<[string, Partial<Grant>, string]>([
    ['expired', { expiresAt: new Date(Date.now() - 1_000).toISOString() }, 'BadRequest'],
    ['too long', { expiresAt: new Date(Date.now() + 30 * 86_400_000).toISOString() }, 'BadRequest'],
    ['no key', { publicKey: 'nonsense' }, 'BadRequest'],
    ['key with options', { publicKey: 'command="sh" ssh-ed25519 AAAA' }, 'BadRequest'],
    ['from is no pattern', { from: ['"x"'] }, 'BadRequest'],
    ['unknown volume', { volume: { podUid: 'a', pvName: 'missing' } }, 'VolumeNotFound'],
  ])(
    'When a grant is %s, then it is refused and the mover keeps nothing of it',
    async (_name, more, code) => {
      await expect(control.peer.request('grants.open', grantOf('bad', more))).rejects.toMatchObject({ code });
      expect(mover.grants).not.toContain('bad');
    },
  );

  test("When a grant has the controller's own key or that of another grant, then it is refused", async () => {
    await expect(
      control.peer.request('grants.open', grantOf('own', { publicKey: controllerKey.line })),
    ).rejects.toMatchObject({ code: 'BadRequest' });
    await control.peer.request('grants.open', grantOf('g6'));
    await expect(control.peer.request('grants.open', grantOf('g7'))).rejects.toMatchObject({
      code: 'BadRequest',
    });
  });

  test('When as many grants are open as may be, then one more is refused, and may be had when one is gone', async () => {
    const others = await Promise.all(['second', 'third'].map((name) => bench.key(name)));
    const [second, third] = others.map(({ line }, i) => grantOf(`limit-${i}`, { publicKey: line }));
    if (second === undefined || third === undefined) throw new Error('no keys');
    await control.peer.request('grants.open', grantOf('g9'));
    await control.peer.request('grants.open', second);
    await expect(control.peer.request('grants.open', third)).rejects.toMatchObject({ code: 'Busy' });
    expect(await metricValue(registry, 'dr_syncer_ssh_limit_hits_total', { limit: 'grants' })).toBe(1);
    await control.peer.request('grants.close', { id: 'g9' });
    await control.peer.request('grants.open', third);
  });

  test('When a transfer is watched, then its states come before the answer', async () => {
    const states: TransferState[] = [];
    control.peer.on('transfer', (state) => states.push(state));
    const last = await control.peer.request('transfers.watch', { id: 't1' }, { timeoutMs: 0 });
    expect(last.phase).toBe('Succeeded');
    expect(states.length).toBeGreaterThan(0);
    await expect(control.peer.request('transfers.watch', { id: 'unknown' })).rejects.toMatchObject({
      code: 'TransferNotFound',
    });
  });

  test("When the controller asks for what is the mover's alone, then it is refused", async () => {
    await expect(
      control.peer.request('receivers.start', { id: 'g1', argv: ['--server'] }),
    ).rejects.toMatchObject({ code: 'BadRequest' });
  });

  test('When the mover restarts, then its grants are gone and new ones can be opened', async () => {
    await control.peer.request('grants.open', grantOf('g8'));
    await mover.stop();
    await eventually(() => (ready() ? undefined : true));
    expect((await control.peer.request('grants.list', {})).grants).toEqual([]);
    await expect(control.peer.request('hello', {})).rejects.toMatchObject({ code: 'AgentNotReady' });
    mover = new SmallMover(bench.dir, join(bench.dir, 'volumes'));
    await mover.start();
    await eventually(() => (ready() ? true : undefined));
    await control.peer.request('grants.open', grantOf('g8'));
  });

  test('Then all that happened is in the audit log, in an unbroken chain, and no key material is', () => {
    expect(verifyChain(auditLines)).toBeUndefined();
    expect(audit('grant').length).toBeGreaterThan(4);
    expect(auditLines.join('\n')).not.toContain('AAAA');
  });
});
