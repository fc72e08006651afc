import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  type ControlConnection,
  connectControl,
  type Grant,
  parsePrivateKey,
  renderKeyNotice,
} from '@dr-syncer/ssh';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { makeWorkbench, rsh, type TestKey, type Workbench } from '../server/testing/fixture.js';
import { eventually, run } from '../server/testing/process.js';
import { startContainer, type TestContainer } from './testing/container.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

describe('Given the ssh container with two keys for the control protocol', () => {
  let bench: Workbench;
  let container: TestContainer;
  let controllerKey: TestKey;
  let hostKey: TestKey;
  let transferKey: TestKey;
  let control: ControlConnection;
  let stolen: TestKey;
  let count = 0;

  const keysFile = () => join(bench.dir, 'authorized_keys');
  /** At once, as kubelet does: half a file would end the sessions of the keys that are not in it. */
  const writeKeys = async (text: string) => {
    await writeFile(`${keysFile()}.new`, text);
    await rename(`${keysFile()}.new`, keysFile());
  };
  const fingerprintOf = async (key: TestKey) => parsePrivateKey(await readFile(key.file, 'utf8')).fingerprint;
  const controlLine = (key: TestKey) => `restrict,command="dr-syncer-control" ${key.line}\n`;
  const accepted = async (...keys: TestKey[]) => {
    const fingerprints = await Promise.all(keys.map(fingerprintOf));
    return (await control.peer.request('keys.check', { fingerprints })).accepted;
  };

  const openControl = async (key: TestKey) =>
    connectControl({
      host: '127.0.0.1',
      port: container.port,
      privateKey: parsePrivateKey(await readFile(key.file, 'utf8')),
      hostKeys: [hostKey.line],
    });

  const grantOf = (id: string): Grant => ({
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
  });

  const push = (path: string, extra: readonly string[]) => {
    const shell = rsh(container.port, transferKey.file);
    return run('rsync', ['-a', ...extra, '-e', shell, `${bench.dir}/src/`, `drsyncer@127.0.0.1:${path}/`]);
  };

  beforeAll(async () => {
    bench = await makeWorkbench();
    controllerKey = await bench.key('controller', 'rsa', 3072);
    hostKey = await bench.key('host');
    transferKey = await bench.key('transfer');
    await mkdir(join(bench.dir, 'src'));
    await writeFile(join(bench.dir, 'src/slow'), Buffer.alloc(4_000_000, 1));
    await writeKeys(controlLine(controllerKey));
    container = await startContainer(bench, { authorizedKeys: keysFile(), hostKeys: [hostKey.file] });
    control = await openControl(controllerKey);
  });

  afterAll(async () => {
    control.close();
    await container.stop();
    await bench.remove();
  });

  beforeEach(async () => {
    count += 1;
    stolen = await bench.key(`stolen-${count}`, 'rsa', 3072);
    await writeKeys(controlLine(controllerKey) + controlLine(stolen));
    await eventually(async () => ((await accepted(stolen)).length === 1 ? true : undefined));
  });

  afterEach(async () => {
    await writeKeys(controlLine(controllerKey));
    await eventually(async () => ((await accepted(stolen)).length === 0 ? true : undefined));
  });

  test('When asked which keys are accepted Then it knows those of the file, and says which host keys it has', async () => {
    const [ours, theirs] = [await fingerprintOf(controllerKey), await fingerprintOf(stolen)];
    const nobodys = `SHA256:${'x'.repeat(43)}`;
    const answer = await control.peer.request('keys.check', { fingerprints: [nobodys, theirs, ours] });

    expect(answer).toEqual({ accepted: [theirs, ours], hostKeys: [control.hostKeyFingerprint] });
  });

  const withRunningTransfer = async (work: (thief: ControlConnection) => Promise<void>) => {
    const thief = await openControl(stolen);
    const { path } = await thief.peer.request('grants.open', grantOf('g-stolen'));
    const running = push(path, ['--bwlimit=100']);
    await eventually(() => (container.mover.runs > 0 ? true : undefined));
    await work(thief);
    expect((await running).code).not.toBe(0);
    await eventually(() => (container.mover.runs === 0 ? true : undefined));
    expect(container.mover.grants).not.toContain('g-stolen');
    await thief.closed;
    await expect(openControl(stolen)).rejects.toMatchObject({ code: 'AgentRefusedKey' });
    expect(container.audit('authentication').at(-1)).toMatchObject({ outcome: 'failure', reason: 'Revoked' });
  };

  test('When its session revokes it Then its grants, transfers and sessions end, it is refused, and others go on', async () => {
    await withRunningTransfer(async (thief) => {
      expect(await thief.peer.request('keys.revoke', {})).toEqual({});
    });

    expect(await accepted(stolen, controllerKey)).toEqual([await fingerprintOf(controllerKey)]);
    expect(await control.peer.request('hello', {})).toMatchObject({ node: 'node-1' });
    const ended = await eventually(() => container.audit('key').at(-1));
    expect(ended).toMatchObject({ outcome: 'revoked', grants: 1, transfers: 0 });
  });

  test('When the file says that it is revoked Then the same, though it still has a line', async () => {
    await withRunningTransfer(async () => {
      const notice = renderKeyNotice({ kind: 'revoked', fingerprint: await fingerprintOf(stolen) });
      await writeKeys(`${controlLine(controllerKey)}${controlLine(stolen)}${notice} owner=a/b\n`);
    });
  });

  test('When it was replaced in order Then what it opened goes on, and its login is no alarm', async () => {
    const before = await openControl(stolen);
    await before.peer.request('grants.open', grantOf('g-before'));
    const alarms = await container.metric('dr_syncer_ssh_unauthorized_attempts_total');
    const notice = renderKeyNotice({ kind: 'retired', fingerprint: await fingerprintOf(stolen) });
    await writeKeys(`${controlLine(controllerKey)}${notice} owner=a/b\n`);
    await before.closed;

    await expect(openControl(stolen)).rejects.toMatchObject({ code: 'AgentRefusedKey' });
    expect(container.audit('authentication').at(-1)).toMatchObject({ outcome: 'failure', reason: 'Retired' });
    expect(await container.metric('dr_syncer_ssh_unauthorized_attempts_total')).toBe(alarms);
    expect(container.mover.grants).toContain('g-before');
  });
});
