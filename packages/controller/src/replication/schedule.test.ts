import { describe, expect, test } from '@jest/globals';

import { Schedule } from './schedule.js';

const schedule = (text: string, timeZone = 'UTC', jitterSeconds = 0, uid = 'u') =>
  new Schedule({ schedule: text, timeZone, jitterSeconds }, uid);

const times = (of: Schedule, from: string, count: number): string[] => {
  const found: string[] = [];
  for (let at = new Date(from); found.length < count; found.push(at.toISOString().slice(0, 16))) {
    at = of.after(at);
  }
  return found;
};

describe('Given a schedule', () => {
  test.each([
    ['steps', '*/15 * * * *', '2026-01-01T00:07:00Z', ['2026-01-01T00:15', '2026-01-01T00:30']],
    ['lists and ranges', '0 8-10,20 * * *', '2026-01-01T09:30:00Z', ['2026-01-01T10:00', '2026-01-01T20:00']],
    ['names', '0 0 * jan mon-tue', '2026-01-01T00:00:00Z', ['2026-01-05T00:00', '2026-01-06T00:00']],
    ['a nickname', '@hourly', '2026-01-01T00:00:00Z', ['2026-01-01T01:00', '2026-01-01T02:00']],
    [
      'day of month or of week',
      '0 0 13 * fri',
      '2026-04-04T00:00:00Z',
      ['2026-04-10T00:00', '2026-04-13T00:00'],
    ],
    ['a leap day', '0 0 29 2 *', '2026-04-04T00:00:00Z', ['2028-02-29T00:00']],
  ])('%s: %s', (_title, text, from, expected) => {
    expect(times(schedule(text), from, expected.length)).toEqual(expected);
  });

  test.each([
    [
      'a time that does not exist that night is due at the change',
      '30 2 * * *',
      '2026-03-28T12:00:00Z',
      ['2026-03-29T01:00', '2026-03-30T00:30'],
    ],
    [
      'a time that comes twice is due once',
      '30 2 * * *',
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30', '2026-10-26T01:30'],
    ],
    [
      'steps go on through the missing hour',
      '*/30 * * * *',
      '2026-03-29T00:40:00Z',
      ['2026-03-29T01:00', '2026-03-29T01:30'],
    ],
    [
      'and through the doubled one',
      '*/30 * * * *',
      '2026-10-25T00:40:00Z',
      ['2026-10-25T01:00', '2026-10-25T01:30'],
    ],
  ])('in Berlin, %s', (_title, text, from, expected) => {
    expect(times(schedule(text, 'Europe/Berlin'), from, expected.length)).toEqual(expected);
  });

  test('a delay is the same each time, and within its bound', () => {
    const plain = new Date('2026-01-01T01:00:00Z');
    const delays = ['a', 'b', 'c'].map((uid) => {
      const one = schedule('0 * * * *', 'UTC', 600, uid);
      const first = one.after(new Date('2026-01-01T00:30:00Z'));
      // The next one is an hour later, not the same hour once more.
      expect(+one.after(first) - +first).toBe(3_600_000);
      return +first - +plain;
    });

    expect(new Set(delays).size).toBe(3);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThanOrEqual(600_000);
  });

  test.each([
    ['seconds', '* * * * * *'],
    ['a date', '2026-01-01T00:00:00Z'],
    ['nothing', ' '],
    ['a field out of range', '61 * * * *'],
    ['what is never due', '0 0 30 2 *'],
    ['an event', '@reboot'],
    ['a word', 'often'],
  ])('%s is refused, naming the field', (_title, text) => {
    expect(() => schedule(text)).toThrow(expect.objectContaining({ code: 'ScheduleInvalid' }));
    expect(() => schedule(text)).toThrow(/spec\.sync\.schedule/);
  });

  test('a time zone that does not exist is refused', () => {
    expect(() => schedule('0 0 * * *', 'Mars/Olympus')).toThrow(/Mars\/Olympus/);
  });
});
