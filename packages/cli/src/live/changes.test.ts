import type { ReplicationStatus, VolumeStatus } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { bar, byteSize, volumeLine } from './bar.js';
import { changes } from './changes.js';

const moving = (percent: number, more: Partial<VolumeStatus> = {}): ReplicationStatus => ({
  phase: 'Running',
  volumes: [{ name: 'data', phase: 'Transferring', percent, ...more }],
});
const ready = { type: 'Ready', status: 'True', reason: 'Synced', message: 'all there' } as const;

describe('Given two states of a Replication', () => {
  test.each<[string, ReplicationStatus | undefined, ReplicationStatus, string[]]>([
    ['a volume has moved on by less than a tenth', moving(41), moving(49), []],
    ['it has passed a tenth', moving(49), moving(50), ['volume data Transferring 50%']],
    ['nothing is different', moving(50), moving(50), []],
    [
      'it is tried again',
      moving(50),
      moving(51, { attempt: 2 }),
      ['volume data Transferring 51%, attempt 2'],
    ],
    [
      'a volume has failed',
      moving(50),
      {
        phase: 'Running',
        volumes: [{ name: 'data', phase: 'Failed', reason: 'DestinationFull', message: 'no space' }],
      },
      ['volume data Failed, DestinationFull: no space'],
    ],
    [
      'it is over',
      moving(99),
      {
        phase: 'Completed',
        volumes: [{ name: 'data', phase: 'Succeeded' }],
        conditions: [{ ...ready, lastTransitionTime: '2026-03-01T11:00:00Z' }],
      },
      ['Completed: Synced: all there', 'volume data Succeeded'],
    ],
    ['there was none before', undefined, { phase: 'Pending' }, ['Pending']],
  ])('When %s Then the news is told once', (_what, before, after, lines) => {
    expect(changes(before, after)).toEqual(lines);
  });
});

test.each([
  [undefined, '[          ]'],
  [0, '[          ]'],
  [50, '[====>     ]'],
  [100, '[==========]'],
  [140, '[==========]'],
])('%s percent are %s', (percent, text) => {
  expect(bar(percent, 10)).toBe(text);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [250 * 1024 * 1024, '250 MiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(byteSize(bytes)).toBe(text);
});

test('a line of a volume says how far it is and what is left', () => {
  const volume: VolumeStatus = {
    ...{ name: 'data', phase: 'Transferring', percent: 50, bytesDone: 1 << 20, bytesTotal: 2 << 20 },
    ...{ bytesPerSecond: 1 << 18, etaSeconds: 4 },
  };

  expect(volumeLine(volume)).toBe(
    'data  [===========>            ]  50%  1.0 MiB of 2.0 MiB, 256 KiB/s, 4s left',
  );
});
