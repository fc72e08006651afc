import { chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import { rsh, type TestKey } from '../server/testing/fixture.js';
import { eventually, type Ran, run } from '../server/testing/process.js';
import { TestAgent } from './testing/agent.js';
import type { TestVolume } from './testing/kubelet.js';
import { rsyncServers } from './testing/processes.js';

// Real clients and servers, which a busy machine slows down.
jest.setTimeout(30_000);

/** The options of the product's security page. */
const RESTRICTIONS = 'no-port-forwarding,no-X11-forwarding,no-agent-forwarding,no-pty';

describe('Given lines in the authorized_keys file of an agent in a pod', () => {
  let agent: TestAgent;
  let volume: TestVolume;
  let key: TestKey;
  let src: string;

  beforeAll(async () => {
    agent = await TestAgent.start();
    volume = await agent.kubelet.volume();
    await chown(volume.path, 1000, 1000);
    key = await agent.bench.key('static', 'rsa', 4096);
    src = join(agent.bench.dir, 'src');
    await mkdir(src);
    await writeFile(join(src, 'file'), 'hello');
  });

  afterAll(() => agent.stop());

  /** Puts the line into the file, beside the controller's, and waits until it is in force. */
  async function allow(command: string): Promise<void> {
    const file = join(agent.bench.dir, 'authorized_keys');
    const controller = (await readFile(file, 'utf8')).split('\n')[0] ?? '';
    const applied = () => agent.sshLog.filter(({ message }) => message === 'authorized_keys applied').length;
    const before = applied();
    await writeFile(file, `${controller}\ncommand="${command}",${RESTRICTIONS} ${key.line}\n`);
    await eventually(() => (applied() > before ? true : undefined));
  }

  const push = (path: string): Promise<Ran> =>
    run('rsync', ['-avz', '-e', rsh(agent.port, key.file), `${src}/`, `drsyncer@127.0.0.1:${path}`]);

  const below = () => volume.path.slice(join(agent.kubelet.dir, 'pods').length);

  test('When one has the literal command of the security page for a volume, then it runs, as the agent itself', async () => {
    await allow(`rsync --server -vlogDtprze.iLsfxC . ${volume.path}`);
    expect(await push('/anything/')).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(join(volume.path, 'file'), 'utf8')).toBe('hello');
    expect(await stat(join(volume.path, 'file'))).toMatchObject({ uid: 1000, gid: 1000 });
  });

  test('When one names the volume below /mnt/data, as that page does, then it is the same', async () => {
    await writeFile(join(src, 'second'), 'hello again');
    await allow(`rsync --server -vlogDtprze.iLsfxC . /mnt/data${below()}`);
    expect(await push('/anything/')).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(join(volume.path, 'second'), 'utf8')).toBe('hello again');
  });

  test('When one is confined to a volume, then what is asked for is checked', async () => {
    await allow(`dr-syncer-rsync --write-only --no-delete ${volume.path}`);
    await writeFile(join(src, 'third'), 'and again');
    expect((await push(`${volume.path}/`)).code).toBe(0);
    expect(await readFile(join(volume.path, 'third'), 'utf8')).toBe('and again');
    expect((await push(`${volume.path}/../`)).stderr).toContain('PathNotAllowed');
    const pull = ['-a', '-e', rsh(agent.port, key.file), `drsyncer@127.0.0.1:${volume.path}/`, src];
    expect((await run('rsync', pull)).stderr).toContain('DirectionNotAllowed');
  });

  test('When one is for reading, then the volume can be pulled', async () => {
    await allow(`dr-syncer-rsync --read-only ${volume.path}`);
    const back = join(agent.bench.dir, 'back');
    const pull = ['-a', '-e', rsh(agent.port, key.file), `drsyncer@127.0.0.1:${volume.path}/`, back];
    expect(await run('rsync', pull)).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(join(back, 'file'), 'utf8')).toBe('hello');
  });

  test.each([
    ['the directory of all volumes', () => '/mnt/data'],
    ['the directory of all pods', () => join(agent.kubelet.dir, 'pods')],
    ['a directory of the node', () => '/etc'],
    ['a directory in a volume', () => `${volume.path}/sub`],
    ['a volume that is not mounted', () => volume.path.replace('pv-1', 'pv-9')],
    ['a volume below another root', () => `/var/lib/other/pods${below()}`],
    ['a pod directory that is no volume', () => join(agent.kubelet.dir, 'pods', volume.ref.podUid)],
  ])('When one names %s, then nothing runs', async (_name, dir) => {
    await allow(`rsync --server -vlogDtprze.iLsfxC . ${dir()}`);
    const ran = await push('/anything/');
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain('dr-syncer: refused: VolumeNotAvailable');
  });

  test('When the volume is fenced, then what writes to it ends, nothing more is written, and it can be read', async () => {
    const fence = async (text: string) => {
      const applied = () => agent.sshLog.filter(({ message }) => message === 'fence applied').length;
      const before = applied();
      await writeFile(join(agent.bench.dir, 'fence'), text);
      await eventually(() => (applied() > before ? true : undefined));
    };
    await writeFile(join(src, 'slow'), Buffer.alloc(4_000_000, 1));
    await allow(`dr-syncer-rsync ${volume.path}`);
    const remote = `drsyncer@127.0.0.1:${volume.path}/`;
    const ssh = rsh(agent.port, key.file);
    const slow = run('rsync', ['-a', '--bwlimit=100', '-e', ssh, `${src}/`, remote]);
    await eventually(() => (rsyncServers().length > 0 ? true : undefined));
    await fence(`${volume.ref.pvName}\n`);
    expect((await slow).code).not.toBe(0);
    expect((await push(`${volume.path}/`)).stderr).toContain('VolumeNotAvailable');
    const pull = await run('rsync', ['-a', '-e', ssh, remote, join(agent.bench.dir, 'fenced')]);
    expect(pull).toMatchObject({ code: 0, stderr: '' });
    await fence('');
    expect((await push(`${volume.path}/`)).code).toBe(0);
  });

  test('Then no volume is held open for them', async () => {
    // `stop` unmounts all volumes, and would fail.
    await eventually(() =>
      agent.kubelet.unmount(volume.path).then(
        () => true,
        () => undefined,
      ),
    );
  });
});
