import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { readMounts } from '../volumes/mounts.js';
import { command, TestKubelet } from './kubelet.js';

/** Linux gives processes lower numbers only (PID_MAX_LIMIT). */
const NO_PROCESS = 2 ** 22;

describe('Given what a killed run has left mounted, and something still has it open', () => {
  test('When two begin at once Then both begin, and nothing is left of it', async () => {
    const root = await mkdtemp(join(await realpath(tmpdir()), 'dr-syncer-kubelets-'));
    const dir = join(root, `dr-syncer-kubelet-${NO_PROCESS}-test`);
    const path = join(dir, 'pods/0000-1/volumes/kubernetes.io~csi/pv-1/mount');
    await mkdir(path, { recursive: true });
    await command('mount', ['-t', 'tmpfs', '-o', 'size=65536', 'none', path]);
    const file = await open(join(path, 'file'), 'w');

    const kubelets = await Promise.all([TestKubelet.make(root), TestKubelet.make(root)]);

    expect((await readMounts()).filter(({ mountPoint }) => mountPoint.startsWith(dir))).toEqual([]);
    expect(existsSync(dir)).toBe(false);
    await file.close();
    for (const kubelet of kubelets) await kubelet.remove();
    await rm(root, { recursive: true });
  });
});
