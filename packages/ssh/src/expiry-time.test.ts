import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseExpiryTime, renderExpiryTime } from './expiry-time.js';

describe('Given expiry times', () => {
  test.each([
    ['20261121Z', '2026-11-21T00:00:00.000Z'],
    ['202611211530Z', '2026-11-21T15:30:00.000Z'],
    ['20261121153059Z', '2026-11-21T15:30:59.000Z'],
    ['20261121153059z', '2026-11-21T15:30:59.000Z'],
    ['20240229Z', '2024-02-29T00:00:00.000Z'],
  ])('When %s is read Then it is %s', (text, iso) => {
    expect(parseExpiryTime(text)?.toISOString()).toBe(iso);
  });

  test('When there is no Z Then it is in the local zone', () => {
    expect(parseExpiryTime('20261121153059')).toEqual(new Date(2026, 10, 21, 15, 30, 59));
    expect(parseExpiryTime('20261121')).toEqual(new Date(2026, 10, 21));
  });

  test.each([
    '',
    '2026',
    '2026112',
    '202611211',
    '2026112115305',
    '20260229Z',
    '20261301Z',
    '20261100Z',
    '202611212400Z',
  ])('When %j is read Then it is refused', (text) => {
    expect(parseExpiryTime(text)).toBeUndefined();
  });
  test.each(['19700101Z', '202611211560Z', '20261121153060Z', '20261121 Z', '+20261121', '20261121UTC', '0'])(
    'When %j is read Then it is refused',
    (text) => {
      expect(parseExpiryTime(text)).toBeUndefined();
    },
  );

  test('When a time is rendered Then it is read back to the second', () => {
    const date = fc.date({ min: new Date('1971-01-01'), max: new Date('9999-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(date, (some) => {
        expect(parseExpiryTime(renderExpiryTime(some))?.getTime()).toBe(
          Math.floor(some.getTime() / 1000) * 1000,
        );
      }),
    );
  });
});
