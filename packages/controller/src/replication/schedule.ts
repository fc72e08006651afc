import { createHash } from 'node:crypto';

import { DrError, type SyncSpec } from '@dr-syncer/api';
import { Cron } from 'croner';

/**
 * When a schedule is due. Five fields of cron, evaluated in the time zone (croner): at the change to summer time a
 * time that does not exist is due at the change, at the change back one that comes twice is due the first time;
 * patterns with steps or wildcards go on with the clock on the wall in both.
 */
export class Schedule {
  readonly #cron: Cron;
  readonly #jitterMs: number;

  /**
   * @param uid of the Replication: its delay is the same each time
   * @throws DrError ScheduleInvalid
   */
  constructor(sync: Pick<SyncSpec, 'schedule' | 'timeZone' | 'jitterSeconds'>, uid: string) {
    this.#cron = parse(sync.schedule ?? '', sync.timeZone);
    this.#jitterMs = jitterOf(uid, sync.jitterSeconds) * 1000;
  }

  /** The first moment after `since` that is due; at most one is ever owed, however many have passed. */
  after(since: Date): Date {
    const next = this.#cron.nextRun(new Date(since.getTime() - this.#jitterMs));
    if (next === null) throw invalid(this.#cron.getPattern() ?? '', 'it is never due');
    return new Date(next.getTime() + this.#jitterMs);
  }
}

function parse(schedule: string, timeZone: string): Cron {
  // Anything else that the library takes as well (dates, seconds) is not cron.
  const fields = schedule.trim().split(/\s+/);
  if (fields.length !== 5 && !schedule.trim().startsWith('@')) {
    throw invalid(schedule, 'five fields are needed: minute, hour, day of month, month, day of week');
  }
  try {
    const cron = new Cron(schedule.trim(), { timezone: timeZone, paused: true, mode: '5-part' });
    if (cron.nextRun() === null) throw new Error('it is never due');
    return cron;
  } catch (err) {
    throw invalid(schedule, err instanceof Error ? err.message : String(err));
  }
}

function invalid(schedule: string, why: string): DrError {
  return new DrError('ScheduleInvalid', `spec.sync.schedule "${schedule}": ${why}`);
}

function jitterOf(uid: string, seconds: number): number {
  if (seconds === 0) return 0;
  return createHash('sha256').update(uid).digest().readUInt32BE(0) % (seconds + 1);
}
