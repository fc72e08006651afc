import { describe, expect, test } from '@jest/globals';

import { parseChange } from './data.js';
import { formatBar, formatBytes, formatSeconds } from './format.js';
import { progressLine } from './progress.js';
import { Screen } from './screen.js';
import { readSettings } from './settings.js';
import { unexpected } from './story.js';
import { firstByte } from './sync.js';

describe('format', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [300 * 1024 * 1024, '300.0 MiB'],
    [5 * 1024 ** 5, '5120.0 TiB'],
  ])('When %d bytes are shown, Then it is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test.each([
    [0.04, '0.0 s'],
    [59.96, '60.0 s'],
    [659.6, '11 min 0 s'],
  ])('When %d seconds are shown, Then it is %s', (seconds, text) =>
    expect(formatSeconds(seconds)).toBe(text),
  );

  test.each([
    [-5, '[....]'],
    [50, '[##..]'],
    [140, '[####]'],
  ])('When the bar is at %d percent, Then it is %s', (percent, bar) =>
    expect(formatBar(percent, 4)).toBe(bar),
  );
});

describe('progressLine', () => {
  test('Given a running volume, Then percent, bytes, rate, time left and files are there', () => {
    const line = progressLine({
      name: 'data-db-0',
      phase: 'Transferring',
      percent: 50,
      bytesDone: 150 << 20,
      bytesTotal: 300 << 20,
      bytesPerSecond: 80 << 20,
      etaSeconds: 2,
      filesTransferred: 1234,
    });
    for (const part of [
      'data-db-0',
      ' 50%',
      '150.0 MiB of 300.0 MiB',
      '80.0 MiB/s',
      '2 s left',
      '1,234 files',
    ]) {
      expect(line).toContain(part);
    }
  });

  test('Given a volume that waits, Then only its name and phase are there', () => {
    expect(progressLine({ name: 'v', phase: 'Pending' }).trim()).toBe('v Pending');
  });
});

describe('Screen', () => {
  function screen(isTTY: boolean): { screen: Screen; text: () => string; pass: (ms: number) => void } {
    let text = '';
    let now = 0;
    const output = { write: (more: string) => (text += more), isTTY, columns: 20 };
    return { screen: new Screen(output, () => now), text: () => text, pass: (ms) => (now += ms) };
  }

  test('Given a terminal, Then progress is one line, cut to its width, and later lines start below it', () => {
    const it = screen(true);
    it.screen.progress('one');
    it.screen.progress('x'.repeat(50));
    it.screen.note('after');
    expect(it.text()).toBe(`\r\x1b[2K   one\r\x1b[2K   ${'x'.repeat(16)}\n   after\n`);
  });

  test('Given a file, Then progress is a line every two seconds, and the last in any case', () => {
    const it = screen(false);
    it.screen.progress('a');
    it.screen.progress('b');
    it.pass(2000);
    it.screen.progress('c');
    it.screen.progress('d', true);
    expect(it.text()).toBe('   a\n   c\n   d\n');
  });

  test('When a step is done, Then its number, title and time were printed', async () => {
    const it = screen(false);
    await it.screen.step('First', async () => {
      it.pass(1500);
      await Promise.resolve();
    });
    expect(it.text()).toBe('\n1. First\n   done in 1.5 s\n');
  });
});

describe('firstByte', () => {
  const start = Date.parse('2026-01-01T00:00:00Z');
  test.each([
    ['the cluster tells', start + 3000, '2026-01-01T00:00:01.250Z', 1.25],
    ['its clock is behind', start + 3000, '2025-12-31T23:59:59Z', 3],
    ['its clock is ahead', start + 3000, '2026-01-01T00:00:08Z', 3],
    ['it does not tell', start + 3000, undefined, 3],
    ['nothing was seen before the end', undefined, undefined, 9],
    ['nothing was seen, but the cluster tells', undefined, '2026-01-01T00:00:02Z', 2],
  ])('When %s, Then the time follows', (_, seen, reported, seconds) => {
    expect(firstByte(start, seen, reported, 9)).toBe(seconds);
  });
});

describe('unexpected', () => {
  const change = parseChange('transfers=9\nchanged_bytes=100\ntouched_bytes=500\n');
  const stats = { total: 9, applied: 1, unchanged: 8, failed: 0, skipped: 0 };
  const volume = {
    name: 'v',
    phase: 'Succeeded',
    filesTransferred: 9,
    filesDeleted: 1,
    literalBytes: 120,
  } as const;

  test('Given a sync that moved what changed, Then there is nothing to say', () => {
    expect(unexpected({ status: { syncStats: stats }, volume }, change)).toEqual([]);
  });

  test.each([
    ['more objects', { ...stats, applied: 2 }, volume, 'objects written: 2, not 1'],
    ['a failed object', { ...stats, failed: 1 }, volume, 'objects failed: 1, not 0'],
    ['more files', stats, { ...volume, filesTransferred: 2000 }, 'files transferred: 2,000, not 9'],
    ['no deletion', stats, { ...volume, filesDeleted: 0 }, 'files deleted: 0, not 1'],
    [
      'too many bytes',
      stats,
      { ...volume, literalBytes: 501 },
      'bytes of file data moved: 501, not 100 to 500',
    ],
    ['too few bytes', stats, { ...volume, literalBytes: 99 }, 'bytes of file data moved: 99, not 100 to 500'],
    [
      'no figure',
      stats,
      { name: 'v', phase: 'Succeeded', filesTransferred: 9, filesDeleted: 1 } as const,
      'bytes of file data moved: not reported, not 100 to 500',
    ],
  ])('Given %s, Then it is said', (_, syncStats, moved, line) => {
    expect(unexpected({ status: { syncStats }, volume: moved }, change)).toEqual([line]);
  });

  test('Given output that is no change, Then it is refused', () => {
    expect(() => parseChange('transfers=9\n')).toThrow(/changed_bytes/);
  });
});

describe('readSettings', () => {
  const both = { SOURCE_KUBECONFIG: '/a', REMOTE_KUBECONFIG: '/b' };

  test('Given the two kubeconfigs, Then the rest has defaults', () => {
    expect(readSettings(both, '/m')).toEqual({
      sourceKubeconfig: '/a',
      remoteKubeconfig: '/b',
      image: 'localhost/dr-syncer-demo:dev',
      controllerImage: 'localhost/dr-syncer-controller:dev',
      agentImage: 'localhost/dr-syncer-agent:dev',
      sourceStorageClass: 'fast',
      remoteStorageClass: 'standard-dr',
      sizeMb: 300,
      manifests: '/m',
    });
  });

  test.each([
    [{ SOURCE_KUBECONFIG: '/a' }, /REMOTE_KUBECONFIG is not set/],
    [{ ...both, DEMO_SIZE_MB: '5000' }, /DEMO_SIZE_MB is "5000"/],
    [{ ...both, DEMO_SIZE_MB: 'x' }, /DEMO_SIZE_MB/],
  ])('Given %j, Then the variable is named', (env, message) => {
    expect(() => readSettings(env, '/m')).toThrow(message);
  });
});
