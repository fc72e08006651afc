import { describe, expect, test } from '@jest/globals';

import { dataConflict, isHandedOver } from './data-conflicts.js';

describe('Given what the source has written since the last sync', () => {
  test.each([
    ['something', 2, 'up to 2 files and directories'],
    ['unknown', undefined, 'is not known'],
  ])('When it is %s Then that is said', (_title, sourceChanges, expected) => {
    const volume = { name: 'data', phase: 'Succeeded' as const };
    expect(dataConflict({ ...volume, ...(sourceChanges !== undefined && { sourceChanges }) })).toContain(
      expected,
    );
  });

  test('When it is nothing Then nothing is said', () => {
    expect(dataConflict({ name: 'data', phase: 'Succeeded', sourceChanges: 0 })).toBeUndefined();
  });
});

describe('Given the namespace of a source after a failover at 12:00', () => {
  test.each([
    ['was stopped for it', { 'dr-syncer.io/stopped': '2026-01-01T12:00:00.000Z' }, true],
    ['was stopped after it', { 'dr-syncer.io/stopped': '2026-01-01T12:00:01.000Z' }, false],
    ['was never stopped', {}, false],
    ['says something that is no time', { 'dr-syncer.io/stopped': 'yes' }, false],
  ])('When it %s Then it is known whether it can have written since', (_title, annotations, expected) => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', annotations } };
    expect(isHandedOver(namespace, '2026-01-01T12:00:00.000Z')).toBe(expected);
  });
});
