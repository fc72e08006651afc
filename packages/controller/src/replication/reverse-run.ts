import { annotation, type ReplicationStatus } from '@dr-syncer/api';
import { type EventRecorder, kubeToDrError } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { SyncOutcome } from './outcome.js';
import { ReplicationProgress } from './progress.js';
import { clearRequest } from './request.js';
import { type ReverseSyncOptions, syncBack } from './reverse-sync.js';
import { StatusWriter } from './status-writer.js';
import type { SyncStart } from './sync-runs.js';

export interface ReverseRunDeps extends Pick<
  ReverseSyncOptions,
  'source' | 'sourceAgents' | 'sourceId' | 'volumeServices' | 'policy'
> {
  readonly events: EventRecorder;
  readonly logger: Logger;
}

type ReverseStatus = NonNullable<ReplicationStatus['reverseSync']>;

/** One request for data to be taken back, from its annotation to its answer in the status. */
export async function runBack(deps: ReverseRunDeps, start: SyncStart, signal: AbortSignal): Promise<void> {
  const { source, events, logger } = deps;
  const { object, replication, route, remote, run } = start;
  const progress = new ReplicationProgress(replication);
  // Of this run alone: `beginVolumes` would take over when each was last synced the other way.
  const volumes = new ReplicationProgress({ ...replication, status: {} });
  const before = replication.status?.reverseSync;
  let state: Omit<ReverseStatus, 'volumes'> = {
    ...{ request: run.id, phase: 'Running' },
    startedAt: before?.request === run.id ? before.startedAt : new Date().toISOString(),
  };
  const writer = new StatusWriter(source.client, object, () => {
    progress.set({ reverseSync: { ...state, volumes: volumes.snapshot().volumes ?? [] } });
    return progress.snapshot();
  });
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
    events.record({ regarding: object, action: 'ReverseSync', type, reason, message });
  writer.changed();
  tell(
    'Normal',
    'ReverseSyncStarted',
    `Data of ${route.destinationNamespace} at ${route.remoteKey} is taken back.`,
  );
  const outcome = await attempt(
    {
      ...{ ...deps, replication, route, remote, progress: volumes },
      request: run.id,
      changed: () => writer.changed(),
    },
    signal,
  );
  // Cancelled: the annotation is still there, and whoever comes next takes it up.
  if (outcome === undefined) return;
  const { ok, reason, message } = outcome;
  state = {
    ...state,
    phase: ok ? 'Completed' : 'Failed',
    reason,
    message,
    finishedAt: new Date().toISOString(),
  };
  await writer.flush();
  await clearRequest(source, object, run.id, annotation.reverseSync);
  tell(ok ? 'Normal' : 'Warning', ok ? 'ReverseSyncCompleted' : reason, message);
  logger.info('reverse sync ended', { ok, reason });
}

/** @returns undefined when cancelled */
async function attempt(options: ReverseSyncOptions, signal: AbortSignal): Promise<SyncOutcome | undefined> {
  try {
    return await syncBack(options, signal);
  } catch (err) {
    if (signal.aborted) return undefined;
    const problem = kubeToDrError(err);
    options.logger.warn('reverse sync failed', { err: problem });
    return {
      ok: false,
      reason: problem.code,
      message: `${problem.message}. ${problem.remedy}`,
      retry: false,
    };
  }
}
