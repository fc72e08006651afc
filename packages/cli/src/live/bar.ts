import type { VolumeStatus } from '@dr-syncer/api';

import { duration } from '../duration.js';

const WIDTH = 24;
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `[=======>      ]`. @param percent 0 to 100; undefined: not known yet */
export function bar(percent: number | undefined, width = WIDTH): string {
  const done = Math.round((Math.min(100, Math.max(0, percent ?? 0)) / 100) * width);
  const tip = done > 0 && done < width ? '>' : '';
  return `[${'='.repeat(done - tip.length)}${tip}${' '.repeat(width - done)}]`;
}

/** Bytes for people: `0 B`, `1.5 GiB`. */
export function byteSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** A volume that something is done with: how far it is and how long it will take. */
export function volumeLine(volume: VolumeStatus, nameWidth = 0): string {
  const { name, phase, percent } = volume;
  const counted = phase === 'Transferring' ? `${bar(percent)} ${percentText(percent)}` : phase;
  return [name.padEnd(nameWidth), counted, amounts(volume).join(', ')].join('  ').trimEnd();
}

/** Of a transfer that goes on: `1.2 GiB of 4.0 GiB`, `80 MiB/s`, `35s left`, as far as it is known. */
export function amounts(volume: VolumeStatus): string[] {
  const { phase, bytesDone, bytesTotal, bytesPerSecond, etaSeconds, attempt = 1 } = volume;
  if (phase !== 'Transferring') return [];
  const total = bytesTotal === undefined ? '' : ` of ${byteSize(bytesTotal)}`;
  return [
    ...(bytesDone === undefined ? [] : [`${byteSize(bytesDone)}${total}`]),
    ...(bytesPerSecond === undefined ? [] : [`${byteSize(bytesPerSecond)}/s`]),
    ...(etaSeconds === undefined ? [] : [`${duration(etaSeconds)} left`]),
    ...(attempt > 1 ? [`attempt ${attempt}`] : []),
  ];
}

function percentText(percent: number | undefined): string {
  return percent === undefined ? '  ?' : `${String(percent).padStart(3)}%`;
}
