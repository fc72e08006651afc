import type { ReplicationStatus, VolumeRunStatus, VolumeStatus } from '@dr-syncer/api';
import { type EventRecorder, kubeToDrError } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import { copyForDrill } from './drill-copy.js';
import type { VolumeRunKind } from './due.js';
import type { SyncOutcome } from './outcome.js';
import { ReplicationProgress } from './progress.js';
import { clearRequest } from './request.js';
import { checkBack } from './reverse-check.js';
import { type ReverseSyncOptions, syncBack } from './reverse-sync.js';
import { StatusWriter } from './status-writer.js';
import type { SyncStart } from './sync-runs.js';
import { volumeRuns } from './volume-request.js';

export interface VolumeRunDeps extends Pick<
  ReverseSyncOptions,
  'source' | 'sourceAgents' | 'sourceId' | 'volumeServices' | 'policy'
> {
  readonly events: EventRecorder;
  readonly logger: Logger;
}

const works = {
  Reverse: {
    ...{ work: syncBack, action: 'ReverseSync', done: 'TakenBack' },
    ...{ what: 'Data is taken back from the standby', result: 'are as the standby has them' },
  },
  ReverseCheck: {
    ...{ work: checkBack, action: 'ReverseCheck', done: 'Possible' },
    ...{ what: 'Looking whether data can be taken back', result: 'can be taken back' },
  },
  Drill: {
    ...{ work: copyForDrill, action: 'Drill', done: 'Copied' },
    ...{ what: 'Volumes of the standby are copied for a drill', result: 'are as the standby has them' },
  },
} as const;

/** The details of syncs and of what was taken back are enough for one object. */
const shown: Readonly<Record<VolumeRunKind, (volume: VolumeStatus) => VolumeStatus>> = {
  Reverse: (volume) => volume,
  ReverseCheck: brief,
  Drill: brief,
};

function brief(volume: VolumeStatus): VolumeStatus {
  const bulky = new Set<string>(['identity', 'losses', 'permissions', 'verification']);
  return Object.fromEntries(Object.entries(volume).filter(([field]) => !bulky.has(field))) as VolumeStatus;
}

/** One request about the volumes, from its annotation to its answer in the status. */
export async function runVolumes(
  deps: VolumeRunDeps,
  kind: VolumeRunKind,
  start: SyncStart,
  signal: AbortSignal,
): Promise<void> {
  const { source, events, logger } = deps;
  const { object, replication, route, remote, run } = start;
  const { key, field } = volumeRuns[kind];
  const { action, what } = works[kind];
  const progress = new ReplicationProgress(replication);
  // Of this run alone: `beginVolumes` would take over when each was last synced.
  const volumes = new ReplicationProgress({ ...replication, status: {} });
  const before = replication.status?.[field];
  let state: Omit<VolumeRunStatus, 'volumes'> = {
    ...{ request: run.id, phase: 'Running' },
    startedAt: before?.request === run.id ? before.startedAt : new Date().toISOString(),
  };
  const writer = new StatusWriter(source.client, object, (): ReplicationStatus => {
    progress.set({ [field]: { ...state, volumes: (volumes.snapshot().volumes ?? []).map(shown[kind]) } });
    return progress.snapshot();
  });
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
    events.record({ regarding: object, action, type, reason, message });
  writer.changed();
  tell('Normal', `${action}Started`, `${what}: ${route.destinationNamespace} at ${route.remoteKey}.`);
  const options: ReverseSyncOptions = {
    ...{ ...deps, replication, route, remote, progress: volumes },
    request: run.id,
    changed: () => writer.changed(),
  };
  const outcome = await attempt(options, works[kind], signal);
  // Cancelled: the annotation is still there, and whoever comes next takes it up.
  if (outcome === undefined) return;
  const { ok, reason, message } = outcome;
  const finishedAt = new Date().toISOString();
  state = { ...state, phase: ok ? 'Completed' : 'Failed', reason, message, finishedAt };
  await writer.flush();
  await clearRequest(source, object, run.id, key);
  tell(ok ? 'Normal' : 'Warning', ok ? `${action}Completed` : reason, message);
  logger.info('request about volumes ended', { kind, ok, reason });
}

/** @returns undefined when cancelled */
async function attempt(
  options: ReverseSyncOptions,
  { work, done, result }: (typeof works)[VolumeRunKind],
  signal: AbortSignal,
): Promise<SyncOutcome | undefined> {
  try {
    await work(options, signal);
    return volumesOutcome(options.progress, done, result);
  } catch (err) {
    if (signal.aborted) return undefined;
    const problem = kubeToDrError(err);
    options.logger.warn('request about volumes failed', { err: problem });
    const message = `${problem.message}. ${problem.remedy}`;
    return { ok: false, reason: problem.code, message, retry: false };
  }
}

function volumesOutcome({ volumes }: ReplicationProgress, done: string, result: string): SyncOutcome {
  const failed = volumes.filter(({ phase }) => phase !== 'Succeeded');
  const [first] = failed;
  if (first === undefined) {
    const message = `${volumes.length} volumes ${result}.`;
    return { ok: true, reason: done, message, retry: false };
  }
  const message = `${failed.length} of ${volumes.length} volumes failed, first ${first.name}: ${first.message ?? ''}`;
  return { ok: false, reason: first.reason ?? 'SyncIncomplete', message, retry: false };
}
