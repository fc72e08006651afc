import type { VolumeInfo } from '@dr-syncer/ssh';
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { copyRecordText, readCopyRecord } from './copy-record.js';
import { type Counts, type GuardFacts, shrinkProblem } from './deletion-guard.js';
import { type GuardOptions, guardTransfer } from './guard.js';

type Source = Pick<VolumeInfo, 'empty' | 'rootId'>;

describe('Given a copy and the volume that it is made from', () => {
  let counted: string[];

  const source: Source = { empty: false, rootId: '2:100' };
  const record = { pv: 'pv-1', root: '2:100', counts: { files: 100, bytes: 1_000 } };
  const facts: GuardFacts = { claim: 'data', pv: 'pv-1', source, destination: { empty: false }, record };
  const guard = (more: Partial<GuardOptions> = {}, now: Counts = { files: 100, bytes: 1_000 }) =>
    guardTransfer({
      ...{ facts, percent: 50, confirmed: undefined, run: 'run-7' },
      countSource: () => {
        counted.push('source');
        return Promise.resolve(now);
      },
      countCopy: () => {
        counted.push('copy');
        return Promise.resolve({ files: 100, bytes: 1_000 });
      },
      ...more,
    });

  beforeEach(() => {
    counted = [];
  });

  test('When nothing is wrong, then it may begin, and only the source was counted', async () => {
    await guard();
    expect(counted).toEqual(['source']);
  });

  test.each<[string, Partial<GuardFacts>, string]>([
    ['the source is empty', { source: { ...source, empty: true } }, 'SourceEmpty'],
    ['the claim has another volume', { pv: 'pv-2' }, 'SourceVolumeChanged'],
    ['another file system is mounted', { source: { ...source, rootId: '2:999' } }, 'SourceVolumeChanged'],
  ])('When %s, then it may not, and how to confirm is said', async (_name, more, code) => {
    const failed = guard({ facts: { ...facts, ...more } });
    await expect(failed).rejects.toMatchObject({
      code,
      message: expect.stringContaining('dr-syncer.io/confirm-deletions=run-7'),
    });
    expect(counted).toEqual([]);
  });

  test.each<[string, Counts]>([
    ['files', { files: 49, bytes: 1_000 }],
    ['bytes', { files: 100, bytes: 499 }],
  ])('When more of the %s is gone than may be, then it may not begin', async (what, now) => {
    await expect(guard({}, now)).rejects.toMatchObject({
      code: 'DeletionGuard',
      message: expect.stringContaining(`of the ${what} would be gone`),
    });
  });

  test('When nothing is remembered, then the copy itself is counted', async () => {
    await expect(
      guard({ facts: { ...facts, record: undefined } }, { files: 10, bytes: 10 }),
    ).rejects.toMatchObject({ code: 'DeletionGuard' });
    expect(counted.sort()).toEqual(['copy', 'source']);
  });

  test('When the copy is empty, then anything may come, and nothing is counted', async () => {
    await guard({ facts: { ...facts, destination: { empty: true }, source: { empty: true, rootId: 'x' } } });
    expect(counted).toEqual([]);
  });

  test('When the guard is off, then only an empty source or another one stops it', async () => {
    await guard({ percent: 100 }, { files: 1, bytes: 0 });
    expect(counted).toEqual([]);
    await expect(
      guard({ percent: 100, facts: { ...facts, source: { ...source, empty: true } } }),
    ).rejects.toMatchObject({ code: 'SourceEmpty' });
  });

  test('When a person has confirmed the run that was stopped, then it may begin; a former confirmation says nothing', async () => {
    const stop = { run: 'run-6', code: 'SourceEmpty' };
    const stopped = { ...facts, source: { ...source, empty: true }, record: { ...record, stopped: stop } };
    await guard({ facts: stopped, confirmed: 'run-6' });
    await expect(guard({ facts: stopped, confirmed: 'run-5' })).rejects.toMatchObject({
      code: 'SourceEmpty',
    });
    await expect(guard({ facts: { ...stopped, record }, confirmed: 'run-6' })).rejects.toMatchObject({
      code: 'SourceEmpty',
    });
  });

  test('When the same is met again, then the first run is the one to confirm, and only for the same reason', async () => {
    const stopped = { ...record, stopped: { run: 'run-6', code: 'DeletionGuard' } };
    const few = { files: 1, bytes: 1 };
    await expect(guard({ facts: { ...facts, record: stopped } }, few)).rejects.toMatchObject({
      message: expect.stringContaining('confirm-deletions=run-6'),
    });
    await guard({ facts: { ...facts, record: stopped }, confirmed: 'run-6' }, few);
    const empty = { ...facts, record: stopped, source: { ...source, empty: true } };
    await expect(guard({ facts: empty, confirmed: 'run-6' })).rejects.toMatchObject({
      code: 'SourceEmpty',
      message: expect.stringContaining('confirm-deletions=run-7'),
    });
  });

  test('When it is decided on any numbers, then exactly what has lost more than its share is stopped', () => {
    const number = fc.integer({ min: 0, max: 1_000_000 });
    const counts = fc.record({ files: number, bytes: number });
    fc.assert(
      fc.property(counts, counts, fc.integer({ min: 1, max: 99 }), (before, now, percent) => {
        const lost = (what: 'files' | 'bytes') => (before[what] - now[what]) * 100 > before[what] * percent;
        expect(shrinkProblem('c', before, now, percent) !== undefined).toBe(lost('files') || lost('bytes'));
      }),
    );
  });

  test('When what is remembered cannot be read, then nothing is remembered', () => {
    const claim = (text: string) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'c', annotations: { 'dr-syncer.io/volume-copy': text } },
    });
    expect(readCopyRecord(claim(copyRecordText(record)))).toEqual(record);
    for (const text of ['', '{', '[]', '"x"', '{"counts":5}']) {
      expect(readCopyRecord(claim(text))).toBeUndefined();
    }
  });
});
