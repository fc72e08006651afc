import { chmod, chown, link, mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { ControlConnection } from '@dr-syncer/ssh';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { rootIdentity, TestAgent, tenantIdentity } from '../testing/agent.js';
import type { TestVolume } from '../testing/kubelet.js';

jest.setTimeout(20_000);

describe('Given a volume that is to be counted', () => {
  let agent: TestAgent;
  let volume: TestVolume;
  let control: ControlConnection;

  const measure = (identity = rootIdentity, excludePaths: string[] = []) =>
    control.peer.request('volumes.measure', { volume: volume.ref, identity, excludePaths });

  beforeAll(async () => {
    agent = await TestAgent.start();
    control = await agent.control();
  });

  beforeEach(async () => {
    volume = await agent.kubelet.volume();
    await mkdir(join(volume.path, 'dir'));
    await writeFile(join(volume.path, 'dir/file'), 'x');
    await truncate(join(volume.path, 'dir/file'), 1_000);
    await link(join(volume.path, 'dir/file'), join(volume.path, 'dir/other'));
    await symlink('nowhere', join(volume.path, 'link'));
    await mkdir(join(volume.path, 'lost+found'));
  });

  afterAll(() => agent.stop());

  test('Then the numbers are those that a transfer reports', async () => {
    const to = await agent.kubelet.volume();
    const counts = await measure();
    const state = await agent.push(volume, to, { source: rootIdentity, destination: rootIdentity });
    expect(counts).toEqual({ files: state.filesTotal, bytes: state.bytesTotal });
    expect(counts.files).toBe(5);
  });

  test('When paths are excluded, then they do not count', async () => {
    expect(await measure(rootIdentity, ['/dir'])).toEqual({ files: 2, bytes: 7 });
  });

  test('When the identity may not look everywhere, then there is no number', async () => {
    await chmod(volume.path, 0o755);
    await chown(join(volume.path, 'dir'), 1, 1);
    await chmod(join(volume.path, 'dir'), 0o700);
    await expect(measure(tenantIdentity)).rejects.toMatchObject({ code: 'TransferPartial' });
  });

  test('When there is no such volume, then that is said', async () => {
    const missing = { podUid: 'f0', pvName: 'no' };
    await expect(
      control.peer.request('volumes.measure', { volume: missing, identity: rootIdentity, excludePaths: [] }),
    ).rejects.toMatchObject({ code: 'VolumeNotFound' });
    await agent.kubelet.unmount(volume.path);
  });
});
