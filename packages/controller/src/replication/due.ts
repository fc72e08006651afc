import type { Replication } from '@dr-syncer/api';

import { Schedule } from './schedule.js';

/** What is done with the volumes on request, besides syncs: data taken back, that looked at, copies for a drill. */
export type VolumeRunKind = 'Reverse' | 'ReverseCheck' | 'Drill';

/** Why a sync begins. */
export type Cause = 'Request' | VolumeRunKind | 'First' | 'SpecChanged' | 'Due' | 'Retry' | 'Start';

export interface RunPlan {
  /** Names the sync; the same after a restart of the controller, so that its transfers are found again. */
  readonly id: string;
  readonly cause: Cause;
  /** Volumes too, or the objects alone. */
  readonly volumes: boolean;
}

export interface Plan {
  /** To be begun now. */
  readonly run?: RunPlan;
  /** When to look again; undefined: only when something changes. */
  readonly next?: Date;
}

export interface Situation {
  readonly replication: Pick<Replication, 'metadata' | 'spec' | 'status'>;
  /** Value of the annotation sync-now; undefined: nobody asks. */
  readonly request: string | undefined;
  /** What is asked for besides syncs, and not answered. */
  readonly volumeRun: { readonly kind: VolumeRunKind; readonly id: string } | undefined;
  /** Continuous: objects are being followed, by the spec as it is now. */
  readonly isFollowing: boolean;
  /** After a failure that may pass. */
  readonly retryAt: Date | undefined;
  readonly now: Date;
}

/**
 * What is to be begun, and when to look again. Pure: from the object alone, so a restarted controller comes to the same
 * answer. However many times were missed, one sync makes up for them.
 *
 * @throws DrError ScheduleInvalid
 */
export function planRun(situation: Situation): Plan {
  const { replication, request, volumeRun, now } = situation;
  if (volumeRun !== undefined) return { run: { id: volumeRun.id, cause: volumeRun.kind, volumes: true } };
  const { mode } = replication.spec.sync;
  const due = dueRun(situation);
  if (request !== undefined) return { run: { id: request, cause: 'Request', volumes: true } };
  if (due.run !== undefined || mode !== 'Continuous') return due;
  if (!situation.isFollowing && !isLater(situation.retryAt, now)) {
    return { ...due, run: { id: `objects-${now.toISOString()}`, cause: 'Start', volumes: false } };
  }
  return due;
}

function dueRun({ replication, retryAt, now }: Situation): Plan {
  const { metadata, spec, status } = replication;
  if (spec.sync.mode === 'Manual') return {};
  const generation = metadata.generation;
  const whole = (id: string, cause: Cause): Plan => ({ run: { id, cause, volumes: true } });
  const regular = regularTime(replication, now);
  if (status?.lastRunTime === undefined) return whole(`first-${metadata.uid}`, 'First');
  if (status.lastRunGeneration !== generation) return whole(`generation-${generation}`, 'SpecChanged');
  if (regular !== undefined && regular <= now) return whole(`due-${regular.toISOString()}`, 'Due');
  if (retryAt !== undefined && retryAt <= now) return whole(`retry-${retryAt.toISOString()}`, 'Retry');
  const next = [regular, retryAt].filter((time) => time !== undefined).sort((a, b) => +a - +b)[0];
  return next === undefined ? {} : { next };
}

/** Also the value of `status.nextSyncTime`. @throws DrError ScheduleInvalid */
export function regularTime(
  { metadata, spec, status }: Situation['replication'],
  now: Date,
): Date | undefined {
  const { mode, schedule, dataIntervalSeconds } = spec.sync;
  if (mode === 'Manual') return undefined;
  if (schedule !== undefined) {
    const times = new Schedule(spec.sync, metadata.uid);
    return times.after(earlier(status?.lastRunTime, now));
  }
  // The CRD demands a schedule for mode Scheduled.
  if (mode === 'Scheduled' || dataIntervalSeconds === 0) return undefined;
  return new Date(earlier(status?.lastSyncTime, now).getTime() + dataIntervalSeconds * 1000);
}

/** A time in the future was written by a clock that was wrong; with it nothing would be due for long. */
function earlier(time: string | undefined, now: Date): Date {
  const then = time === undefined ? now : new Date(time);
  return then < now ? then : now;
}

function isLater(time: Date | undefined, now: Date): boolean {
  return time !== undefined && time > now;
}
