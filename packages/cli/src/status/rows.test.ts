import type { VolumeStatus } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { barsOf } from './rows.js';
import type { ReplicationView } from './view.js';

const view = (running: readonly VolumeStatus[]): ReplicationView => ({
  ...{ replication: 'dr-syncer-system/shop', remoteCluster: 'standby', mode: 'Manual', phase: 'Running' },
  ...{ sourceNamespace: 'shop', destinationNamespace: 'shop' },
  ...{ objects: { total: 1, failed: 0 }, volumes: { total: 40, failed: 0, done: 0 }, running },
});

describe('Given many volumes under way', () => {
  test('When they are shown Then each has its line, with bars below each other', () => {
    const volumes = Array.from({ length: 40 }, (_, index): VolumeStatus => {
      const [name, phase] = [`data-${'x'.repeat(index)}`, 'Transferring'] as const;
      return { name, phase, percent: index, bytesDone: index, bytesTotal: 100, bytesPerSecond: 5 };
    });
    const lines = barsOf(view([...volumes, { name: 'log', phase: 'Verifying' }]));

    expect(lines).toHaveLength(41);
    expect(new Set(lines.slice(0, 40).map((line) => line.indexOf('['))).size).toBe(1);
    expect(lines[20]).toMatch(/^dr-syncer-system\/shop data-x{20} +\[=+> +\] +20% {2}20 B of 100 B, 5 B\/s$/);
    expect(lines[40]).toMatch(/log +Verifying$/);
  });

  test('When a name would move the cursor of a terminal Then it does not', () => {
    expect(barsOf(view([{ name: 'a\u001b[2J', phase: 'Preparing' }]))[0]).not.toContain('\u001b');
  });
});
