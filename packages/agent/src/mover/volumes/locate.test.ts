import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { TestKubelet } from '../testing/kubelet.js';
import { VolumeLocator } from './locate.js';

describe('Given the directory of a kubelet with real mounts', () => {
  let kubelet: TestKubelet;
  let locator: VolumeLocator;
  const ref = (podUid: string, pvName = 'pv-x') => ({ podUid, pvName });
  const tmpfs = ['-t', 'tmpfs', '-o', 'size=1000000', 'none'];
  const volumesOf = (podUid: string) => join(kubelet.dir, 'pods', podUid, 'volumes');

  beforeAll(async () => {
    kubelet = await TestKubelet.make();
    locator = new VolumeLocator({
      kubeletDir: kubelet.dir,
      hostPathPrefixes: [kubelet.localPathDir],
    });
  });

  afterAll(async () => {
    await kubelet.remove();
  });

  test.each([
    ['a CSI driver', 'kubernetes.io~csi/pv-x/mount'],
    ['a local volume', 'kubernetes.io~local-volume/pv-x'],
    ['NFS', 'kubernetes.io~nfs/pv-x'],
  ])('When %s has mounted the volume, then it is found', async (name, directory) => {
    const uid = `a${name.length}`;
    const path = join(volumesOf(uid), directory);
    await kubelet.mount(path, tmpfs);
    const info = await locator.locate(ref(uid));
    expect(info).toMatchObject({ path, fsType: 'tmpfs', readOnly: false, seclabel: false, empty: true });
    expect(info.capacityBytes).toBeGreaterThan(900_000);
    expect(info.capacityBytes).toBeLessThan(1_100_000);
    expect(info.mountContext).toBeUndefined();

    await mkdir(join(path, 'lost+found'));
    expect(await locator.locate(ref(uid))).toMatchObject({ empty: true });
    await writeFile(join(path, 'file'), Buffer.alloc(100_000));
    const used = await locator.locate(ref(uid));
    expect(used.empty).toBe(false);
    expect(used.usedBytes).toBeGreaterThan(90_000);
  });

  test.each([
    ['an emptyDir in memory that has the name of the volume', 'volumes/kubernetes.io~empty-dir/pv-x'],
    ['a projected volume of that name', 'volumes/kubernetes.io~projected/pv-x'],
    ['a plugin nobody knows', 'volumes/example.com~driver/pv-x'],
    ['a subPath of the volume', 'volume-subpaths/pv-x/app/0'],
    ['a mount inside the volume', 'volumes/kubernetes.io~csi/pv-x/mount/inner'],
    ['the globalmount beside it', 'volumes/kubernetes.io~csi/pv-x/globalmount'],
  ])('When only %s is mounted, then there is no volume', async (name, directory) => {
    const uid = `b${name.length}`;
    await kubelet.mount(join(kubelet.dir, 'pods', uid, directory), tmpfs);
    await expect(locator.locate(ref(uid))).rejects.toMatchObject({ code: 'VolumeNotFound' });
  });

  test('When the directory is there but nothing is mounted on it, then it is not taken', async () => {
    await mkdir(join(volumesOf('c1'), 'kubernetes.io~csi/pv-x/mount'), { recursive: true });
    await expect(locator.locate(ref('c1'))).rejects.toThrow('not a mount in the directory of pod c1');
    await expect(locator.locate(ref('c2'))).rejects.toThrow('no pod c2 on this node');
  });

  test('When two plugins have mounted something of that name, then neither is taken', async () => {
    await kubelet.mount(join(volumesOf('d1'), 'kubernetes.io~csi/pv-x/mount'), tmpfs);
    await kubelet.mount(join(volumesOf('d1'), 'kubernetes.io~nfs/pv-x'), tmpfs);
    await expect(locator.locate(ref('d1'))).rejects.toThrow('more than one mount');
  });

  test('When a directory on the way has been swapped for a link, then it is not followed', async () => {
    const path = join(volumesOf('e1'), 'kubernetes.io~csi/pv-x/mount');
    await kubelet.mount(path, tmpfs);
    const elsewhere = join(kubelet.dir, 'elsewhere');
    await kubelet.mount(join(elsewhere, 'mount'), tmpfs);
    await rename(
      join(volumesOf('e1'), 'kubernetes.io~csi/pv-x'),
      join(volumesOf('e1'), 'kubernetes.io~csi/moved'),
    );
    await symlink(elsewhere, join(volumesOf('e1'), 'kubernetes.io~csi/pv-x'));
    await expect(locator.locate(ref('e1'))).rejects.toMatchObject({ code: 'VolumeNotFound' });
    await rename(
      join(volumesOf('e1'), 'kubernetes.io~csi/pv-x'),
      join(volumesOf('e1'), 'kubernetes.io~csi/link'),
    );
    await rename(
      join(volumesOf('e1'), 'kubernetes.io~csi/moved'),
      join(volumesOf('e1'), 'kubernetes.io~csi/pv-x'),
    );
  });

  test('When a mount covers another, then the one on top is the volume', async () => {
    const path = join(volumesOf('f1'), 'kubernetes.io~csi/pv-x/mount');
    await kubelet.mount(path, tmpfs);
    await writeFile(join(path, 'below'), '');
    await kubelet.mount(path, tmpfs);
    expect(await locator.locate(ref('f1'))).toMatchObject({ empty: true });
  });

  test('When the volume is mounted read-only, then that is said', async () => {
    const { ref: own } = await kubelet.volume({ readOnly: true });
    expect(await locator.locate(own)).toMatchObject({ readOnly: true });
  });

  test('When the volume is open, then it is told apart from what comes to its place', async () => {
    const volume = await kubelet.volume({ tmpfsBytes: 1_000_000 });
    const open = await locator.open(volume.ref);
    try {
      await open.assertMounted();
      await kubelet.mount(volume.path, tmpfs);
      await expect(open.assertMounted()).rejects.toMatchObject({ code: 'VolumeNotMounted' });
      await kubelet.unmount(volume.path);
      await open.assertMounted();
      await expect(kubelet.unmount(volume.path)).rejects.toThrow('busy');
    } finally {
      await open.close();
    }
    await kubelet.unmount(volume.path);
  });

  test('When the volume is a path of the node that is allowed, then it is that directory and no other', async () => {
    const volume = await kubelet.localPath();
    await writeFile(join(volume.path, 'file'), 'x');
    const open = await locator.open(volume.ref);
    try {
      expect(await open.info()).toMatchObject({ path: volume.path, empty: false });
      await open.assertMounted();
      await rename(volume.path, `${volume.path}-moved`);
      await mkdir(volume.path);
      await expect(open.assertMounted()).rejects.toMatchObject({ code: 'VolumeNotMounted' });
    } finally {
      await open.close();
    }
  });

  test.each([
    ['is elsewhere', () => '/etc', 'HostPathNotAllowed'],
    ['is the allowed directory itself', () => kubelet.localPathDir, 'HostPathNotAllowed'],
    ['leads out by dots', () => `${kubelet.localPathDir}/x/../../pods`, 'HostPathNotAllowed'],
    ['only begins like an allowed one', () => `${kubelet.localPathDir}-other/pv`, 'HostPathNotAllowed'],
    ['is not there', () => `${kubelet.localPathDir}/missing`, 'VolumeNotFound'],
  ])('When its path %s, then it is refused', async (_name, path, code) => {
    const hostPath = path();
    await expect(locator.locate({ ...ref('9a'), hostPath })).rejects.toMatchObject({ code });
  });

  test('When its path is a link, or leads through one, then it is refused', async () => {
    const volume = await kubelet.localPath();
    const link = join(kubelet.localPathDir, 'link');
    await symlink(volume.path, link);
    await symlink('/', join(kubelet.localPathDir, 'root'));
    for (const hostPath of [link, join(kubelet.localPathDir, 'root/etc')]) {
      await expect(locator.locate({ ...ref('9b'), hostPath })).rejects.toMatchObject({
        code: 'VolumeNotFound',
      });
    }
  });
});
