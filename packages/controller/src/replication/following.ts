import { DrError, type Replication, type ReplicationStatus } from '@dr-syncer/api';

import type { Engine } from '../engine/index.js';
import { outcomeOf } from './outcome.js';
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
  const { halted } = engine;
  const state =
    halted === undefined
      ? outcomeOf(engine, progress.volumes, owedHooks(before))
      : { ok: false, reason: halted.code, message: `${halted.message}. ${halted.remedy}` };
  const { ok, reason, message } = state;
  progress.set({ phase: ok ? 'Completed' : reason === 'StandbyActive' ? 'Paused' : 'Failed' });
  progress.condition({ type: 'Ready', status: ok ? 'True' : 'False', reason, message });
  const after = progress.snapshot();
  const seen = before?.objectsSyncedTime;
  const isOld = seen === undefined || now.getTime() - Date.parse(seen) >= HEARTBEAT_MS;
  const isNews = JSON.stringify(countsOf(before)) !== JSON.stringify(countsOf(after));
  if (!ok) return after;
  if (!isOld && !isNews && before?.phase === after.phase) return undefined;
  return { ...after, objectsSyncedTime: now.toISOString() };
}

/** Pods that were brought to rest are that still. */
function owedHooks(status: ReplicationStatus | undefined): DrError | undefined {
  const [first] = status?.hooks?.open ?? [];
  if (first === undefined) return undefined;
  return new DrError('HookFailed', `pod ${first.pod} is still at rest: its post hook fails`);
}

function countsOf(status: ReplicationStatus | undefined): unknown {
  return [status?.syncStats, status?.prune];
}
