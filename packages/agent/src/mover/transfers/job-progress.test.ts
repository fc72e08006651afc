import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { JobProgress, type StreamId } from './job-progress.js';

const MIB = 2 ** 20;
const report = (bytes: number, files: number, of: number) => ({
  ...{ bytes, files, percent: 0, known: of, toCheck: of - files, complete: true },
});

describe('Given an attempt of several streams', () => {
  const shards = [
    { files: 10, bytes: 10 * MIB },
    { files: 30, bytes: 30 * MIB },
  ];

  test('When streams report Then bytes and files are those of all, and percent is by what is to be moved', () => {
    const progress = new JobProgress();
    expect(progress.plan(shards)).toEqual({ bytesTotal: 40 * MIB });
    expect(progress.report(0, report(5 * MIB, 5, 11))).toMatchObject({
      bytesDone: 5 * MIB,
      filesTransferred: 5,
    });
    const second = progress.report(1, report(15 * MIB, 15, 31));
    expect(second).toMatchObject({ bytesDone: 20 * MIB, filesTransferred: 20, percent: 47.5 });
    progress.ended(0);
    expect(progress.ended(1).percent).toBe(95);
    const whole = progress.report('whole', { ...report(0, 0, 100), toCheck: 50 });
    expect(whole).toMatchObject({ bytesDone: 20 * MIB, filesTotal: 100, percent: 97.5 });
    expect(whole.bytesTotal).toBeUndefined();
  });

  test('When one rsync goes over all in the place of streams Then its progress is that of the entries', () => {
    const progress = new JobProgress(1_000);
    progress.plan(shards);
    const growing = { complete: false, known: 600, toCheck: 100 };
    expect(progress.report('whole', { ...report(5 * MIB, 5, 600), ...growing }).percent).toBe(50);
  });

  test('When statistics come Then what was moved is summed up, and what there is comes from the one that goes over all', () => {
    const progress = new JobProgress();
    progress.plan(shards);
    const lines = (files: number, literal: number) => [
      ...[`Number of files: ${files} (reg: ${files})`, `Number of regular files transferred: ${files}`],
      ...[`Number of deleted files: 0`, `Total file size: ${files} bytes`, `Literal data: ${literal} bytes`],
      ...[`Total bytes sent: 1000`, `Total bytes received: 10`],
    ];
    const first = progress.stats(0, lines(10, 500));
    expect(first).toEqual({ filesTransferred: 10, literalBytes: 500, bytesSent: 1_000, bytesReceived: 10 });
    progress.stats(1, lines(30, 700));
    const whole = [
      ...lines(0, 0).slice(1),
      'Number of files: 41 (reg: 40, dir: 1)',
      'Total file size: 4200 bytes',
    ];
    expect(progress.stats('whole', [...whole, 'Number of deleted files: 3'])).toEqual({
      ...{ filesTotal: 41, bytesTotal: 4_200, filesDeleted: 3, filesTransferred: 40, literalBytes: 1_200 },
      ...{ bytesSent: 3_000, bytesReceived: 30 },
    });
    expect(progress.stats('whole', [])).toEqual({});
  });

  test('When anything is reported in any order Then percent and bytes never go back, and percent stays within 100', () => {
    const event = fc.record({
      stream: fc.constantFrom<StreamId[]>(0, 1, 'whole'),
      bytes: fc.nat(40 * MIB),
      files: fc.nat(40),
      ended: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const progress = new JobProgress();
        progress.plan(shards);
        let [percent, bytes] = [0, 0];
        for (const { stream, ended, ...said } of events) {
          const now =
            ended && stream !== 'whole'
              ? progress.ended(stream)
              : progress.report(stream, report(said.bytes, said.files, 41));
          expect(now.percent ?? percent).toBeGreaterThanOrEqual(percent);
          expect(now.bytesDone ?? bytes).toBeGreaterThanOrEqual(bytes);
          percent = now.percent ?? percent;
          bytes = now.bytesDone ?? bytes;
          expect(percent).toBeLessThanOrEqual(100);
        }
      }),
    );
  });
});

describe('Given an attempt of one stream', () => {
  test('When it reports Then its own estimate is shown', () => {
    const progress = new JobProgress();
    expect(
      progress.report('whole', { bytes: 500, percent: 50, complete: true, files: 5, toCheck: 5, known: 10 }),
    ).toMatchObject({ bytesDone: 500, filesTransferred: 5, filesTotal: 10, percent: 50.5 });
  });
});
