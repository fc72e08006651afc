import type { Replication } from '@dr-syncer/api';

import { Schedule } from './schedule.js';

/**
 * How old the standby of a Replication is to get at most while everything works (seconds): the time from one sync to
 * the next. Undefined when nothing says: syncs that start by hand, a Replication that is paused, or a schedule that
 * can't be read, which its status tells.
 *
 * With a schedule that is the gap that the age falls into, so that a weekend without syncs is no delay on Monday; a
 * sync by hand shortly before a time of the schedule does not shorten it. Without one the pause between two syncs of
 * the volumes begins when the first has ended, so its duration belongs to it. Pure.
 */
export function rpoTargetSeconds({
  metadata,
  spec,
  status,
}: Pick<Replication, 'metadata' | 'spec' | 'status'>): number | undefined {
  const { mode, schedule, dataIntervalSeconds } = spec.sync;
  if (mode === 'Manual' || spec.paused) return undefined;
  if (schedule !== undefined) {
    return longestGap(spec.sync, metadata.uid, status?.lastSuccessTime ?? metadata.creationTimestamp);
  }
  if (mode === 'Scheduled' || dataIntervalSeconds === 0) return undefined;
  return dataIntervalSeconds + lastDurationSeconds(status);
}

function longestGap(
  sync: Replication['spec']['sync'],
  uid: string,
  since: string | undefined,
): number | undefined {
  if (since === undefined) return undefined;
  try {
    const times = new Schedule(sync, uid);
    const from = new Date(since);
    const first = times.after(from);
    const second = times.after(first);
    return Math.max(first.getTime() - from.getTime(), second.getTime() - first.getTime()) / 1000;
  } catch {
    return undefined;
  }
}

function lastDurationSeconds({ lastRunTime, lastSyncTime }: NonNullable<Replication['status']> = {}): number {
  if (lastRunTime === undefined || lastSyncTime === undefined) return 0;
  return Math.max(0, (Date.parse(lastSyncTime) - Date.parse(lastRunTime)) / 1000);
}
