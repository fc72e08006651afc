import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cutUtf8, eventObject, seriesKey } from './event-record.js';
import { TokenBucket } from './token-bucket.js';

const regarding = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'shop', uid: 'u', labels: { a: 'b' } },
  spec: {},
};
const input = {
  regarding,
  type: 'Warning',
  reason: 'Broken',
  action: 'Syncing',
  message: 'it broke',
} as const;
const reporter = { controller: 'dr-syncer.io/controller', instance: 'pod-1' };

describe('eventObject', () => {
  test('Given an object, Then the Event is beside it and refers to it', () => {
    expect(eventObject(input, reporter, 'abc', new Date('2026-01-01T00:00:00Z'))).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'p.abc', namespace: 'shop' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'dr-syncer.io/controller',
      reportingInstance: 'pod-1',
      action: 'Syncing',
      reason: 'Broken',
      regarding: { apiVersion: 'v1', kind: 'Pod', name: 'p', namespace: 'shop', uid: 'u' },
      note: 'it broke',
      type: 'Warning',
    });
  });

  test('Given something cluster-scoped with a very long name and message, Then it fits what the server takes', () => {
    const node = { apiVersion: 'v1', kind: 'Node', name: 'n'.repeat(253) };
    const event = eventObject(
      { ...input, regarding: node, message: 'ä'.repeat(4000) },
      reporter,
      'abc',
      new Date(),
    );
    expect(event.metadata.namespace).toBe('default');
    expect(event.metadata.name.length).toBeLessThan(253);
    expect(Buffer.byteLength(event['note'] as string)).toBeLessThanOrEqual(1024);
  });
});

test('seriesKey is the same for what a person would call the same event', () => {
  expect(seriesKey(input)).toBe(
    seriesKey({ ...input, regarding: { ...regarding, spec: { changed: true } } }),
  );
  for (const other of [{ message: 'x' }, { reason: 'x' }, { action: 'x' }, { type: 'Normal' as const }]) {
    expect(seriesKey({ ...input, ...other })).not.toBe(seriesKey(input));
  }
});

test('cutUtf8 keeps to the limit and never cuts a character', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.integer({ min: 3, max: 80 }),
      (text, max) => {
        const cut = cutUtf8(text, max);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(max);
        const kept = cut === text ? cut : cut.slice(0, -3);
        expect(text.startsWith(kept)).toBe(true);
      },
    ),
  );
});

test('TokenBucket gives the burst, then the rate, and never saves up more than the burst', () => {
  const bucket = new TokenBucket(3, 2, 0);
  const taken = (now: number, tries: number): number =>
    Array.from({ length: tries }, () => bucket.take(now)).filter(Boolean).length;
  expect(taken(0, 10)).toBe(3);
  expect(bucket.waitMs).toBe(500);
  expect(taken(499, 1)).toBe(0);
  expect(taken(500, 2)).toBe(1);
  expect(taken(1e9, 10)).toBe(3);
});
