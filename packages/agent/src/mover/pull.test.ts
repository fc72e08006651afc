import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { compare, snapshot } from '../identity/testing/snapshot.js';
import { makeTree } from '../identity/testing/tree.js';
import { rsh, type TestKey } from '../server/testing/fixture.js';
import { run } from '../server/testing/process.js';
import { rootIdentity, TestAgent } from './testing/agent.js';
import type { TestVolume } from './testing/kubelet.js';

describe('Given an agent with a grant to read a volume', () => {
  let agent: TestAgent;
  let volume: TestVolume;
  let key: TestKey;
  let path: string;

  beforeAll(async () => {
    agent = await TestAgent.start();
    volume = await agent.kubelet.volume();
    makeTree(volume.path);
    key = await agent.bench.key('reader');
    const { peer } = await agent.control();
    ({ path } = await peer.request('grants.open', {
      ...{ id: 'read', publicKey: key.line, volume: volume.ref, direction: 'read', allowDelete: false },
      ...{ from: [], expiresAt: new Date(Date.now() + 600_000).toISOString(), identity: rootIdentity },
      ...{ preserve: { devices: true, fileCapabilities: true }, holder: 'reader', streams: 1 },
    }));
  });

  afterAll(() => agent.stop());

  const remote = () => `drsyncer@127.0.0.1:${path}/`;
  const attributes = [
    '-aHAXS',
    '--numeric-ids',
    '--modify-window=-1',
    '--filter=-x security.*',
    '--filter=-x trusted.*',
  ];

  test('When rsync pulls it, then the copy is the tree', async () => {
    const to = await mkdtemp(join(agent.bench.dir, 'pulled-'));
    const ran = await run('rsync', [...attributes, '-e', rsh(agent.port, key.file), remote(), `${to}/`]);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const lost = compare(snapshot(volume.path), snapshot(to)).map(({ aspect }) => aspect);
    expect(new Set(lost)).toEqual(new Set(['foreignXattrs', 'capability']));
  });

  test('When rsync would push into it, then it is refused', async () => {
    const ran = await run('rsync', ['-a', '-e', rsh(agent.port, key.file), `${agent.bench.dir}/`, remote()]);
    expect(ran.stderr).toContain('dr-syncer: refused: DirectionNotAllowed');
  });
});
