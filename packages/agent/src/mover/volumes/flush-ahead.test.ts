import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { eventually } from '../../server/testing/process.js';
import { flushFileSystem } from './flush.js';
import { FlushAhead, isDue, type Usage } from './flush-ahead.js';

const MIB = 2 ** 20;

describe('Given what a file system holds now and held at the last flush', () => {
  test.each<[string, Usage, boolean]>([
    ['a large file more', { bytes: 64 * MIB, inodes: 1 }, true],
    ['a little more of it', { bytes: 63 * MIB, inodes: 0 }, false],
    ['many small files more', { bytes: 200 * MIB, inodes: 50_000 }, false],
    ['files of a MiB', { bytes: 64 * MIB, inodes: 64 }, true],
    ['less', { bytes: -64 * MIB, inodes: -1 }, false],
    ['more, in fewer files', { bytes: 64 * MIB, inodes: -10 }, true],
  ])('When it is %s Then it is flushed ahead: %p', (_name, more, expected) => {
    const last = { bytes: 10 * MIB, inodes: 100 };
    expect(isDue(last, { bytes: last.bytes + more.bytes, inodes: last.inodes + more.inodes })).toBe(expected);
  });
});

describe('Given a file that is being written', () => {
  let dir: string;
  let flushes: number;
  const count: typeof flushFileSystem = async (cwd, signal) => {
    flushes += 1;
    await flushFileSystem(cwd, signal);
  };
  let written = 0;
  const write = async () => {
    const file = await open(join(dir, `file-${(written += 1)}`), 'w');
    for (let index = 0; index < 96; index += 1) await file.write(Buffer.alloc(MIB, index));
    await file.close();
  };
  /** Again and again: others write and remove files here as well. */
  const writeUntil = (done: () => boolean) =>
    eventually(async () => {
      await write();
      await new Promise((resolve) => setTimeout(resolve, 400));
      return done() ? true : undefined;
    }, 30_000);

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dr-syncer-flush-'));
    flushes = 0;
  });
  afterEach(() => rm(dir, { recursive: true }));

  test('When it grows Then it is flushed before the end, and not any more afterwards', async () => {
    const ahead = new FlushAhead(dir, new AbortController().signal, count);
    await writeUntil(() => flushes > 0);
    await ahead.end();
    const before = flushes;
    await write();
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(flushes).toBe(before);
  }, 60_000);

  test('When the device did not take it Then the end says so', async () => {
    let failed = false;
    const ahead = new FlushAhead(dir, new AbortController().signal, () => {
      failed = true;
      return Promise.reject(new Error('EIO'));
    });
    await writeUntil(() => failed);
    await expect(ahead.end()).rejects.toThrow('EIO');
  }, 60_000);

  test('When it is ended from outside Then a flush that hangs is left', async () => {
    const stop = new AbortController();
    let hangs = false;
    const ahead = new FlushAhead(dir, stop.signal, (_cwd, signal) => {
      hangs = true;
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('left'))));
    });
    await writeUntil(() => hangs);
    stop.abort();
    await expect(ahead.end()).rejects.toThrow('left');
  }, 60_000);
});
