import type { VolumeStatus } from '@dr-syncer/api';

import { formatBar, formatBytes, formatCount } from './format.js';

/** One volume of a running sync in one line: percent, bytes, rate, time left, files. */
export function progressLine(volume: VolumeStatus): string {
  const parts = [`${volume.name} ${volume.phase.padEnd(12)}`];
  if (volume.percent !== undefined) {
    parts.push(`${formatBar(volume.percent)} ${String(volume.percent).padStart(3)}%`);
  }
  if (volume.bytesDone !== undefined) parts.push(amount(volume.bytesDone, volume.bytesTotal));
  if (volume.bytesPerSecond !== undefined) parts.push(`${formatBytes(volume.bytesPerSecond)}/s`);
  if (volume.etaSeconds !== undefined) parts.push(`${volume.etaSeconds} s left`);
  if (volume.filesTransferred !== undefined) parts.push(`${formatCount(volume.filesTransferred)} files`);
  return parts.join('  ');
}

function amount(done: number, total: number | undefined): string {
  return total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`;
}
