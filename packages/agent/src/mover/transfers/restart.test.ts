import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, jest, test } from '@jest/globals';

import { compare, snapshot } from '../../identity/testing/snapshot.js';
import { eventually } from '../../server/testing/process.js';
import { rootIdentity, TestAgent } from '../testing/agent.js';
import { movers, rsyncServers } from '../testing/processes.js';

jest.setTimeout(20_000);

const privileged = { source: rootIdentity, destination: rootIdentity };

/** Size of rsync's temporary file. */
function readPartial(dir: string): number {
  const name = readdirSync(dir).find((entry) => entry.startsWith('.file.'));
  return name === undefined ? 0 : (statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0);
}

describe('Given a transfer and the containers of its agent', () => {
  test('When the mover is restarted, then its transfers are known as interrupted and the next attempt goes on', async () => {
    const other = await TestAgent.start();
    try {
      const here = await other.kubelet.volume();
      const there = await other.kubelet.volume();
      await writeFile(join(here.path, 'file'), randomBytes(20_000_000));
      const connection = await other.control();
      const id = await other.begin(connection, here, there, {
        ...privileged,
        options: { bandwidthLimitKiB: 8_000, attempts: 9 },
      });
      await eventually(() => (readPartial(there.path) > 3_000_000 ? true : undefined));
      await other.restartMover();

      const state = await connection.peer.request('transfers.watch', { id }, { timeoutMs: 0 });
      expect(state).toMatchObject({ id, phase: 'Failed', error: { code: 'TransferInterrupted' } });
      expect(await connection.peer.request('grants.list', {})).toEqual({ grants: [] });
      expect(await connection.peer.request('transfers.forget', { id })).toEqual({ forgotten: true });

      const next = await other.push(here, there, privileged);
      expect(next.phase).toBe('Succeeded');
      expect(next.literalBytes).toBeLessThan(19_000_000);
      expect(compare(snapshot(here.path), snapshot(there.path))).toEqual([]);
      expect(await readdir(join(other.config.privateDir, 'states'))).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  test('When the ssh container goes, then its receivers go and transfers of this side do not', async () => {
    const other = await TestAgent.start();
    try {
      const here = await other.kubelet.volume();
      const there = await other.kubelet.volume();
      await writeFile(join(here.path, 'file'), Buffer.alloc(20_000_000, 'x'));
      const connection = await other.control();
      await other.begin(connection, here, there, { ...privileged, options: { bandwidthLimitKiB: 2_000 } });
      await eventually(() => (rsyncServers().length > 0 ? true : undefined));
      await other.stopSsh();
      await eventually(() => (rsyncServers().length === 0 ? true : undefined));
      await other.kubelet.unmount(there.path);
    } finally {
      await other.stop();
    }
    expect(movers()).toEqual([]);
  });
});
