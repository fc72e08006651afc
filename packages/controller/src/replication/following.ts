import { DrError, type Replication, type ReplicationStatus, type VolumeStatus } from '@dr-syncer/api';

import type { Engine } from '../engine/index.js';
import { outcomeOf, type SyncOutcome } from './outcome.js';
import { ReplicationProgress, showObjects } from './progress.js';

/** `objectsSyncedTime` alone is not worth a write more often than this. */
const HEARTBEAT_MS = 10 * 60_000;

/** The status of a Replication whose objects are followed, between two syncs; undefined: as it was written last. */
export function followingStatus(
  replication: Replication,
  engine: Engine,
  now: Date,
): ReplicationStatus | undefined {
  const progress = new ReplicationProgress(replication);
  const before = replication.status;
  showObjects(engine, progress);
  if (isCatchingUp(engine)) {
    const counted = progress.snapshot();
    return isNews(before, counted) ? counted : undefined;
  }
  const { ok, reason, message } = stateOf(engine, progress.volumes, before);
  progress.set({ phase: ok ? 'Completed' : reason === 'StandbyActive' ? 'Paused' : 'Failed' });
  progress.condition({ type: 'Ready', status: ok ? 'True' : 'False', reason, message });
  const after = progress.snapshot();
  if (!ok) return after;
  const seen = before?.objectsSyncedTime;
  const isOld = seen === undefined || now.getTime() - Date.parse(seen) >= HEARTBEAT_MS;
  if (!isOld && !isNews(before, after) && before?.phase === after.phase) return undefined;
  return { ...after, objectsSyncedTime: now.toISOString() };
}

/** Objects that have just come are neither there nor failed: what was said last is said until they are. */
function isCatchingUp({ halted, tally }: Engine): boolean {
  return halted === undefined && tally.failures === 0 && tally.pending > 0;
}

function stateOf(
  engine: Engine,
  volumes: readonly VolumeStatus[],
  before: ReplicationStatus | undefined,
): Pick<SyncOutcome, 'ok' | 'reason' | 'message'> {
  const { halted } = engine;
  if (halted === undefined) return outcomeOf(engine, volumes, owedHooks(before));
  return { ok: false, reason: halted.code, message: `${halted.message}. ${halted.remedy}` };
}

/** Pods that were brought to rest are that still. */
function owedHooks(status: ReplicationStatus | undefined): DrError | undefined {
  const [first] = status?.hooks?.open ?? [];
  if (first === undefined) return undefined;
  return new DrError('HookFailed', `pod ${first.pod} is still at rest: its post hook fails`);
}

function isNews(before: ReplicationStatus | undefined, after: ReplicationStatus): boolean {
  return JSON.stringify(countsOf(before)) !== JSON.stringify(countsOf(after));
}

function countsOf(status: ReplicationStatus | undefined): unknown {
  return [status?.syncStats, status?.prune];
}
