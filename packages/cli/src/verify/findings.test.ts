import type { ReplicationStatus, VolumeStatus } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { findingRows, findingsOf } from './findings.js';

const time = '2026-03-01T11:00:00Z';
const asked = { request: 'r1', mode: 'full' };
const status = (...volumes: VolumeStatus[]): ReplicationStatus => ({ lastSyncRequest: 'r1', volumes });
const volume = (
  verification: VolumeStatus['verification'],
  more: Partial<VolumeStatus> = {},
): VolumeStatus => ({
  ...{ name: 'data', phase: 'Succeeded', ...(verification && { verification }) },
  ...more,
});

describe('Given the status after a sync that was to verify', () => {
  test.each<[string, ReplicationStatus, object]>([
    [
      'the copy is the same',
      status(volume({ mode: 'full', result: 'Passed', checked: 7, time })),
      { result: 'Same', checked: 7 },
    ],
    [
      'it differs',
      status(volume({ mode: 'full', result: 'Failed', message: '1 entry', differences: ['a'], time })),
      { result: 'Differs', message: '1 entry', differences: ['a'] },
    ],
    [
      'it was compared in another way',
      status(volume({ mode: 'counts', result: 'Passed', time })),
      { result: 'Unknown' },
    ],
    [
      'it could not be compared',
      status(volume({ mode: 'full', result: 'NotChecked', message: 'why', time })),
      { result: 'Unknown', message: 'why' },
    ],
    [
      'it was not copied',
      status(volume(undefined, { phase: 'Failed', reason: 'DestinationFull', message: 'full' })),
      { result: 'Unknown', message: 'DestinationFull: full' },
    ],
    [
      'the sync was that of somebody else',
      { ...status(volume({ mode: 'full', result: 'Passed', time })), lastSyncRequest: 'other' },
      { result: 'Unknown', message: expect.stringContaining('other') },
    ],
  ])('When %s Then that is the finding', (_what, given, finding) => {
    expect(findingsOf(given, asked)).toEqual([expect.objectContaining(finding)]);
  });

  test('When one volume is asked for Then the others do not count, and one that is not there is not the same', () => {
    const given = status(
      volume(undefined),
      volume({ mode: 'full', result: 'Passed', time }, { name: 'log' }),
    );

    expect(findingsOf(given, { ...asked, volume: 'log' })).toEqual([
      expect.objectContaining({ volume: 'log', result: 'Same' }),
    ]);
    expect(findingsOf(given, { ...asked, volume: 'none' })).toEqual([
      expect.objectContaining({ volume: 'none', result: 'Unknown' }),
    ]);
  });

  test('When it is shown Then each path that differs has its line', () => {
    const given = status(volume({ mode: 'full', result: 'Failed', differences: ['a', 'b'], time }));

    expect(findingRows(findingsOf(given, asked)).map((row) => row.at(-1))).toEqual(['DETAILS', '', 'a', 'b']);
  });
});
