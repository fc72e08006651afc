import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { type Estimate, Estimator } from './estimate.js';
import { parseProgress, type ProgressReport, RsyncOutputReader } from './progress.js';
import { Rate } from './rate.js';
import { parseStatsLine } from './stats.js';

const report = (bytes: number, percent: number, more: Partial<ProgressReport> = {}): ProgressReport => ({
  bytes,
  percent,
  complete: false,
  ...more,
});
const checked = (files: number, toCheck: number, known: number) => ({
  files,
  toCheck,
  known,
  complete: true,
});

describe("Given rsync's output", () => {
  test.each<[string, string, ProgressReport | undefined]>([
    ['from within a file', '          32768   0%    0.00kB/s    0:00:00  ', report(32768, 0)],
    [
      'with a list that grows',
      '     1234567  12%  100.00MB/s    0:00:10 (xfr#5, ir-chk=1000/2009)',
      report(1234567, 12, { files: 5, toCheck: 1000, known: 2009 }),
    ],
    [
      'with a complete list',
      '     6000000 100%  350.22MB/s    0:00:00 (xfr#2, to-chk=0/303)',
      report(6000000, 100, { files: 2, toCheck: 0, known: 303, complete: true }),
    ],
    ['cut off', '     6000000 100%  350.22MB/s    0:00:00 (xfr#2, to-chk=0/3', undefined],
    ['with commas', '   6,000,000 100%  350.22MB/s    0:00:00', undefined],
    ['that is a name', '12 monkeys', undefined],
  ])('When there is a report %s, then it is read', (_name, text, expected) => {
    expect(parseProgress(text)).toEqual(expected);
  });

  const whole =
    '(Client) Protocol versions: remote=32, negotiated=32\n' +
    '\r          32768   0%    0.00kB/s    0:00:00  ' +
    '\r         400000  40%  350.22MB/s    0:00:00 (xfr#2, to-chk=3/303) ' +
    '\r        1000000 100%  350.22MB/s    0:00:00 (xfr#9, to-chk=0/303)\n' +
    '\nNumber of files: 303 (reg: 300, dir: 2, link: 1)\nLiteral data: 7 bytes\n';

  test('When it comes in pieces of any size, then the same is read', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 })), (sizes) => {
        const reader = new RsyncOutputReader();
        let at = 0;
        const outputs = [...sizes, whole.length].map((size) => {
          const output = reader.push(Buffer.from(whole.slice(at, at + size)));
          at += size;
          return output;
        });
        expect(outputs.some(({ connected }) => connected)).toBe(true);
        expect(outputs.flatMap(({ progress }) => progress ?? []).at(-1)).toEqual(
          report(1000000, 100, checked(9, 0, 303)),
        );
        expect(outputs.flatMap(({ lines }) => lines).slice(-2)).toEqual([
          'Number of files: 303 (reg: 300, dir: 2, link: 1)',
          'Literal data: 7 bytes',
        ]);
      }),
    );
  });

  test('When a line never ends, then it is not kept', () => {
    const reader = new RsyncOutputReader();
    for (let i = 0; i < 100; i += 1) reader.push(Buffer.alloc(65_536, 'x'));
    expect(reader.push(Buffer.from('\nTotal bytes sent: 5\n')).lines.at(-1)).toBe('Total bytes sent: 5');
  });

  test.each([
    ['Number of files: 303 (reg: 300, dir: 2, link: 1)', { files: 303 }],
    ['Number of deleted files: 0', { deleted: 0 }],
    ['Number of deleted files: 12 (reg: 10, dir: 2)', { deleted: 12 }],
    ['Number of regular files transferred: 2', { transferred: 2 }],
    ['Total file size: 60000001 bytes', { totalSize: 60000001 }],
    ['Literal data: 200000 bytes', { literal: 200000 }],
    ['Total bytes sent: 206676', { sent: 206676 }],
    ['Total bytes received: 1777', { received: 1777 }],
    ['Matched data: 200000 bytes', {}],
    ['sent 206676 bytes  received 1777 bytes  416906.00 bytes/sec', {}],
    ['Total bytes sent: many', {}],
  ])('When the line is "%s", then its number is known', (line, stats) => {
    expect(parseStatsLine(line)).toEqual(stats);
  });
});

describe('Given reports of a transfer', () => {
  test('When the list still grows, then nothing is said', () => {
    const estimator = new Estimator();
    const growing = { files: 1, toCheck: 900, known: 1000, complete: false };
    expect(estimator.update(report(10, 50, growing))).toEqual({});
    expect(estimator.update(report(20, 90))).toEqual({});
  });

  test('When the list still grows and it is known how far, then entries are counted, and it never goes back', () => {
    const estimator = new Estimator(10_000);
    const growing = (files: number, toCheck: number, known: number) => ({
      files,
      toCheck,
      known,
      complete: false,
    });
    expect(estimator.update(report(10, 50, growing(1, 900, 1_000)))).toEqual({ percent: 1 });
    expect(estimator.update(report(20, 90, growing(900, 1_000, 3_000)))).toEqual({ percent: 20 });
    expect(estimator.update(report(30, 90))).toEqual({ percent: 20 });
    expect(estimator.update(report(30, 90, growing(900, 1_500, 3_000)))).toEqual({ percent: 20 });
    // There are more than the survey has found.
    expect(estimator.update(report(40, 90, growing(900, 1, 50_000)))).toEqual({ percent: 99 });
    const whole = estimator.update(report(50, 90, checked(900, 0, 50_001)));
    expect(whole).toMatchObject({ percent: 100, filesTotal: 50_001 });
  });

  test('When the first file is one of many, then what was believed of it is forgotten', () => {
    const estimator = new Estimator(10_000);
    expect(estimator.update(report(1_000_000, 90)).percent).toBeCloseTo(90.5);
    const growing = { files: 1, toCheck: 900, known: 1_000, complete: false };
    expect(estimator.update(report(1_000_100, 90, growing))).toEqual({ percent: 1 });
    expect(estimator.update(report(1_000_200, 90))).toEqual({ percent: 1 });
  });

  test('When it is one large file, then its reports are believed, and the total is found from them', () => {
    const estimator = new Estimator();
    const size = 123_456_789;
    let last: Estimate = {};
    for (let bytes = 0; bytes < size; bytes += 1_000_000) {
      last = estimator.update(report(bytes, Math.floor((100 * bytes) / size)));
    }
    expect(last.percent).toBeCloseTo(99.6, 0);
    expect(Math.abs((last.bytesTotal ?? 0) - size) / size).toBeLessThan(0.01);
  });

  test('When most files need nothing, then files are counted and not bytes', () => {
    const estimator = new Estimator();
    expect(estimator.update(report(1_000, 0, checked(1, 5_000, 10_000)))).toMatchObject({
      percent: 50,
      filesTotal: 10_000,
    });
    expect(estimator.update(report(1_000, 0, checked(1, 0, 10_000)))).toMatchObject({ percent: 100 });
  });

  test('When all is new, then bytes are counted, and it never goes back', () => {
    const estimator = new Estimator();
    expect(estimator.update(report(100, 10, checked(9, 1, 10)))).toMatchObject({ percent: 10 });
    expect(estimator.update(report(90, 9, checked(9, 1, 10)))).toMatchObject({ percent: 10 });
  });
});

describe('Given totals at moments', () => {
  test('When they grow evenly, then the rate is that; when nothing comes, it fades; when it changes, it follows', () => {
    const rate = new Rate(0);
    for (let t = 250; t <= 10_000; t += 250) rate.update(t * 1000, t);
    expect(rate.perSecond(10_000)).toBeCloseTo(1_000_000, -3);
    expect(rate.perSecond(20_000)).toBeLessThan(200_000);
    for (let t = 10_250; t <= 30_000; t += 250) rate.update(10_000_000 + (t - 10_000) * 100, t);
    expect(rate.perSecond(30_000)).toBeGreaterThan(99_000);
    expect(rate.perSecond(30_000)).toBeLessThan(140_000);
  });

  test('When there was nothing yet, then the rate is nothing', () => {
    expect(new Rate(0).perSecond(5)).toBe(0);
  });
});
