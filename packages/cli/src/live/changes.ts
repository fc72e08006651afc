import type { ReplicationStatus, VolumeStatus } from '@dr-syncer/api';

import { amounts } from './bar.js';

/** A transfer is told of anew when it has come this much further. */
const STEP_PERCENT = 10;

/**
 * What has happened between two states of a Replication, a line each, for where there is no terminal: logs of jobs. Few
 * lines, however often the status changes. Pure.
 */
export function changes(
  before: ReplicationStatus | undefined,
  after: ReplicationStatus | undefined,
): readonly string[] {
  const known = new Map((before?.volumes ?? []).map((volume) => [volume.name, volume]));
  const moved = (after?.volumes ?? []).filter((volume) => isNews(known.get(volume.name), volume));
  const phase = after?.phase ?? 'Pending';
  const isNewPhase = before?.phase !== phase || readyText(before) !== readyText(after);
  return [
    ...(isNewPhase ? [phase + (phase === 'Running' ? '' : readyText(after))] : []),
    ...moved.map((volume) => `volume ${lineOf(volume)}`),
  ];
}

function isNews(before: VolumeStatus | undefined, after: VolumeStatus): boolean {
  if (before?.phase !== after.phase || before.attempt !== after.attempt) return true;
  return after.phase === 'Transferring' && step(before) !== step(after);
}

function step({ percent }: VolumeStatus): number | undefined {
  return percent === undefined ? undefined : Math.floor(percent / STEP_PERCENT);
}

function lineOf(volume: VolumeStatus): string {
  const { name, phase, percent, reason, message } = volume;
  if (phase === 'Failed' || phase === 'Skipped') {
    return `${name} ${phase}${reason === undefined ? '' : `, ${reason}`}: ${message ?? ''}`;
  }
  if (phase !== 'Transferring') return `${name} ${phase}`;
  const known = percent === undefined ? [] : [`${percent}%`, ...amounts(volume)];
  return `${name} ${phase} ${known.join(', ')}`.trimEnd();
}

/** `: Reason: message` of the condition Ready. */
function readyText(status: ReplicationStatus | undefined): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready === undefined ? '' : `: ${ready.reason}: ${ready.message}`;
}
