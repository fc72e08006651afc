import type { Identity } from '@dr-syncer/api';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { launch } from './launch.js';
import { verifyProcess } from './verify.js';

const identity: Identity = {
  uid: 1000,
  gid: 2000,
  groups: [2000, 3000],
  capabilities: ['DAC_READ_SEARCH'],
  umask: '0027',
  privileged: true,
};

const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

asRoot('verifyProcess', () => {
  let child: ChildProcess;
  let pid: number;

  beforeEach(() => {
    child = launch(identity, '/usr/bin/sleep', ['60'], { stdio: 'ignore' });
    pid = child.pid ?? 0;
  });
  afterEach(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  });

  test('Given the process that was launched, Then nothing is thrown', async () => {
    await expect(verifyProcess(pid, identity, { comm: 'sleep' })).resolves.toBeUndefined();
  });

  test.each<[string, Partial<Identity>, RegExp]>([
    ['another user', { uid: 1001 }, /Uid 1000 1000 1000 1000, not 1001/],
    ['another group', { gid: 2001 }, /Gid 2000/],
    ['fewer groups', { groups: [2000] }, /Groups 2000 3000, not 2000/],
    ['more groups', { groups: [2000, 3000, 4000] }, /Groups/],
    ['no capabilities', { capabilities: [] }, /CapInh 0000000000000004, not 0000000000000000/],
    ['other capabilities', { capabilities: ['CHOWN'] }, /CapInh/],
    ['another umask', { umask: '0077' }, /Umask 0027, not 0077/],
  ])('Given %s than it should have, Then IdentityMismatch names it', async (_, change, message) => {
    const wanted = { ...identity, ...change };

    const error = verifyProcess(pid, wanted, { comm: 'sleep' });

    await expect(error).rejects.toMatchObject({
      code: 'IdentityMismatch',
      message: expect.stringMatching(message),
    });
  });

  test('Given a process of this one that kept its own identity, Then IdentityMismatch', async () => {
    const own = spawn('/usr/bin/sleep', ['60'], { stdio: 'ignore' });
    try {
      const error = verifyProcess(own.pid ?? 0, identity, { comm: 'sleep' });

      await expect(error).rejects.toMatchObject({
        code: 'IdentityMismatch',
        message: expect.stringMatching(/Uid 0/),
      });
    } finally {
      own.kill('SIGKILL');
    }
  });

  test('Given a process of somebody else with that identity, Then IdentityMismatch', async () => {
    const error = verifyProcess(pid, identity, { comm: 'sleep', parent: 1 });

    await expect(error).rejects.toMatchObject({ message: expect.stringMatching(/PPid \d+, not 1/) });
  });

  test('Given a process that stays something else, Then IdentityMismatch after the time', async () => {
    const error = verifyProcess(pid, identity, { comm: 'rsync', timeoutMs: 50 });

    await expect(error).rejects.toMatchObject({
      code: 'IdentityMismatch',
      message: expect.stringMatching(/50 ms/),
    });
  });

  test('Given a process that has ended, Then IdentityMismatch', async () => {
    child.kill('SIGKILL');
    await once(child, 'close');

    await expect(verifyProcess(pid, identity, { comm: 'sleep' })).rejects.toMatchObject({
      code: 'IdentityMismatch',
    });
  });

  test('When aborted while waiting, Then it stops', async () => {
    const signal = AbortSignal.timeout(20);

    await expect(verifyProcess(pid, identity, { comm: 'rsync', signal })).rejects.toThrow(/aborted|timeout/i);
  });
});
