import { execFileSync } from 'node:child_process';
import { linkSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { chmod, chown, lchown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Identity } from '@dr-syncer/api';
import type { PermissionsState } from '@dr-syncer/ssh';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { rootIdentity, TestAgent, tenantIdentity } from '../testing/agent.js';
import type { TestVolume } from '../testing/kubelet.js';

jest.setTimeout(60_000);

const GROUP = 1_000_690_000;
const withGroup: Identity = { ...rootIdentity, fsGroup: GROUP, fsGroupChangePolicy: 'OnRootMismatch' };

describe('Given an agent and a volume that transfers write to', () => {
  let agent: TestAgent;
  let from: TestVolume;
  let to: TestVolume;

  beforeAll(async () => {
    agent = await TestAgent.start();
  });

  beforeEach(async () => {
    from = await agent.kubelet.volume();
    to = await agent.kubelet.volume();
  });

  afterAll(async () => {
    await agent.stop();
  });

  const apply = async (identity: Identity, volume = to): Promise<PermissionsState> => {
    const control = await agent.control();
    try {
      return await control.peer.request(
        'permissions.apply',
        { id: 'p', volume: volume.ref, identity },
        { timeoutMs: 60_000 },
      );
    } finally {
      control.close();
    }
  };
  const push = async (identity: Identity) => {
    const state = await agent.push(from, to, { source: rootIdentity, destination: identity });
    expect(state).toMatchObject({ phase: 'Succeeded' });
  };
  const marker = () =>
    execFileSync('getfattr', ['--absolute-names', '-d', '-m', 'user.dr-syncer', to.path], {
      encoding: 'utf8',
    });

  test('When the identity wants nothing, then nothing is looked at and no marker is left', async () => {
    await writeFile(join(from.path, 'file'), 'a');
    await push(rootIdentity);
    expect(await apply(rootIdentity)).toMatchObject({ selinux: 'NotWanted', scope: 'None', seen: 0 });
    expect(marker()).toBe('');
  });

  test('When a volume is new, then all of it is gone through as kubelet does; then only what changes', async () => {
    const dir = join(from.path, 'dir');
    await mkdir(dir);
    await writeFile(join(dir, 'plain'), 'a');
    await chmod(join(dir, 'plain'), 0o600);
    await writeFile(join(dir, 'setuid'), 'a');
    await chown(join(dir, 'setuid'), 4242, 4343);
    await chmod(join(dir, 'setuid'), 0o6755);
    symlinkSync('plain', join(dir, 'link'));
    await chmod(from.path, 0o755);
    // Without the group: this is the pass's work here, whatever rsync could have done.
    await push(rootIdentity);

    const first = await apply(withGroup);
    expect(first).toMatchObject({ scope: 'All', seen: 5, groupsChanged: 5, failed: 0, privilegesDropped: 0 });
    expect(first.reason).toContain('not been gone through');
    const copy = join(to.path, 'dir');
    expect([statSync(copy).gid, statSync(copy).mode & 0o7777]).toEqual([GROUP, 0o2775]);
    expect([statSync(join(copy, 'plain')).gid, statSync(join(copy, 'plain')).mode & 0o7777]).toEqual([
      GROUP,
      0o660,
    ]);
    const setuid = statSync(join(copy, 'setuid'));
    expect([setuid.uid, setuid.gid, setuid.mode & 0o7777]).toEqual([4242, GROUP, 0o6775]);
    expect(lstatSync(join(copy, 'link')).gid).toBe(GROUP);
    expect([statSync(to.path).gid, statSync(to.path).mode & 0o2770]).toEqual([GROUP, 0o2770]);
    expect(marker()).toContain(`fsGroup=${GROUP}`);

    expect(await apply(withGroup)).toMatchObject({ scope: 'None', seen: 0 });
    expect(await apply({ ...withGroup, fsGroupChangePolicy: 'Always' })).toMatchObject({
      scope: 'All',
      seen: 5,
      groupsChanged: 0,
    });
  });

  test('When a transfer changes some entries of many, then those are touched and no others', async () => {
    for (let i = 0; i < 300; i++) writeFileSync(join(from.path, `f${i}`), `${i}`);
    await push(withGroup);
    expect(await apply(withGroup)).toMatchObject({ scope: 'All', failed: 0 });
    const odd = [
      Buffer.from('caf\xe9', 'latin1'),
      Buffer.from('new\nline'),
      Buffer.from('back\\#012'),
      Buffer.from(' blank '),
      Buffer.from('ünïcode'),
      Buffer.from('-n'),
    ];
    for (const name of odd) writeFileSync(Buffer.concat([Buffer.from(`${from.path}/`), name]), 'x');
    writeFileSync(join(from.path, 'f7'), 'changed');
    await rm(join(from.path, 'f8'));
    await push(withGroup);
    const chgrpOutside = ['f1', 'f2'].map((name) => join(to.path, name));
    for (const file of chgrpOutside) await chown(file, 0, 77);
    const state = await apply(withGroup);
    expect(state).toMatchObject({ scope: 'Changed', failed: 0, vanished: 0 });
    for (const name of odd) {
      expect(statSync(Buffer.concat([Buffer.from(`${to.path}/`), name])).gid).toBe(GROUP);
    }
    expect(statSync(join(to.path, 'f7')).gid).toBe(GROUP);
    // Nobody said that these had changed.
    for (const file of chgrpOutside) expect(statSync(file).gid).toBe(77);
  });

  test('When a receiver is cut off, then everything is gone through', async () => {
    writeFileSync(join(from.path, 'a'), 'a');
    await push(withGroup);
    await apply(withGroup);
    writeFileSync(join(from.path, 'big'), Buffer.alloc(30_000_000, 1));
    const control = await agent.control();
    const id = await agent.begin(control, from, to, {
      source: rootIdentity,
      destination: withGroup,
      options: { bandwidthLimitKiB: 1000 },
    });
    for (let waited = 0; readdirSync(to.path).length < 2 && waited < 200; waited++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    await control.peer.request('transfers.cancel', { id });
    await control.peer.request('grants.close', { id });
    control.close();
    expect(marker()).toBe('');
    expect(await apply(withGroup)).toMatchObject({
      scope: 'All',
      reason: expect.stringContaining('cut off'),
    });
  });

  test('When the group changes, or the root has another, then everything is gone through', async () => {
    writeFileSync(join(from.path, 'a'), 'a');
    await push(withGroup);
    await apply(withGroup);
    const other = { ...withGroup, fsGroup: GROUP + 1 };
    expect(await apply(other)).toMatchObject({
      scope: 'All',
      reason: expect.stringContaining('another group'),
    });
    await lchown(to.path, 0, 0);
    expect(await apply(other)).toMatchObject({
      scope: 'All',
      reason: expect.stringContaining('root directory'),
    });
  });

  test('When a file has links outside of the volume, then it is left alone and that is said each time', async () => {
    const outside = join(agent.kubelet.dir, 'data', 'outside');
    mkdirSync(join(to.path, 'dir'));
    writeFileSync(outside, 'x');
    linkSync(outside, join(agent.kubelet.dir, 'data', to.ref.pvName, 'dir/inside'));
    writeFileSync(join(to.path, 'one'), 'x');
    linkSync(join(to.path, 'one'), join(to.path, 'dir/two'));
    for (let round = 0; round < 2; round++) {
      const state = await apply(withGroup);
      expect(state).toMatchObject({ scope: 'All', linksRefused: 1, failed: 0 });
      expect(state.examples.join()).toContain('links');
    }
    expect(statSync(outside).gid).toBe(0);
    expect(statSync(join(to.path, 'one')).gid).toBe(GROUP);
  });

  test('When a file with capabilities changes its group, then it keeps them', async () => {
    const file = join(to.path, 'ping');
    writeFileSync(file, 'x');
    execFileSync('setfattr', [
      '-n',
      'security.capability',
      '-v',
      '0x0100000200200000000000000000000000000000',
      file,
    ]);
    expect(await apply(withGroup)).toMatchObject({ failed: 0, privilegesDropped: 0 });
    expect(statSync(file).gid).toBe(GROUP);
    expect(
      execFileSync('getfattr', ['--absolute-names', '-d', '-m', '-', file], { encoding: 'utf8' }),
    ).toContain('security.capability');
  });

  test('When something is mounted inside the volume, then it is left alone', async () => {
    const inner = join(to.path, 'inner');
    await agent.kubelet.mount(inner, ['-t', 'tmpfs', '-o', 'size=1000000', 'none']);
    writeFileSync(join(inner, 'file'), 'x');
    try {
      expect(await apply(withGroup)).toMatchObject({ otherMounts: 1, failed: 0 });
      expect(statSync(join(inner, 'file')).gid).toBe(0);
      expect(statSync(inner).gid).toBe(0);
    } finally {
      await agent.kubelet.unmount(inner);
    }
  });

  test('When the node has no SELinux, then a label is not written and that is said', async () => {
    const label = 'system_u:object_r:container_file_t:s0:c26,c20';
    const state = await apply({ ...rootIdentity, seLinuxLabel: label });
    expect(state).toMatchObject({ selinux: 'Disabled', scope: 'None' });
    await expect(apply({ ...rootIdentity, seLinuxLabel: 'nonsense' })).rejects.toMatchObject({
      code: 'IdentityRefused',
    });
  });

  test('When a tenant without privilege receives, then its files get the group as well', async () => {
    writeFileSync(join(from.path, 'a'), 'a');
    await chown(to.path, 0, tenantIdentity.gid);
    await chmod(to.path, 0o2770);
    const identity: Identity = { ...tenantIdentity, fsGroup: tenantIdentity.gid };
    await push(identity);
    await apply(identity);
    writeFileSync(join(from.path, 'b'), 'b');
    await push(identity);
    expect(await apply(identity)).toMatchObject({ scope: 'Changed', failed: 0 });
    expect(statSync(join(to.path, 'b'))).toMatchObject({ uid: tenantIdentity.uid, gid: tenantIdentity.gid });
  });
});
