import type { Replication, ReplicationStatus, VolumeStatus } from '@dr-syncer/api';

import type { Context } from './context.js';
import { DemoFailure, describeLook, eventsLook, type Look, podsLook } from './failure.js';
import { formatSeconds } from './format.js';
import { controllerLog } from './install.js';
import { progressLine } from './progress.js';
import { SHOP } from './shop.js';
import { collectionPath, REPLICATION, SYNC_NOW, SYSTEM_NAMESPACE } from './standby.js';
import { watchUntil } from './watch-until.js';

const SYNC_MS = 600_000;

export interface SyncResult {
  readonly status: ReplicationStatus;
  readonly volume: VolumeStatus;
  /** From before the request was written to the state "Completed" seen here. */
  readonly seconds: number;
  /** From before the request was written to the first byte of volume data. */
  readonly firstByteSeconds: number;
}

/** Asks for a sync as a user does, by an annotation, and shows its progress until it is done. */
export async function syncNow(context: Context, request: string): Promise<SyncResult> {
  const { source, screen } = context;
  const startedAt = Date.now();
  let seenFirstByteAt: number | undefined;
  const annotate = [
    'annotate',
    '--overwrite',
    `replications.dr-syncer.io/${REPLICATION}`,
    `${SYNC_NOW}=${request}`,
  ];
  await source.run([...annotate, '--namespace', SYSTEM_NAMESPACE]);
  const expired = (): Error =>
    new DemoFailure(`the sync is not done after ${SYNC_MS / 1000} s`, looks(context));
  const status = await watchUntil(
    source,
    collectionPath('replications'),
    REPLICATION,
    { timeoutMs: SYNC_MS, expired },
    (object) => {
      const current = (object as Pick<Replication, 'status'>).status;
      if (current?.phase === 'Running') {
        for (const volume of current.volumes ?? []) screen.progress(progressLine(volume));
        if (current.volumes?.some(hasBytes) === true) seenFirstByteAt ??= Date.now();
      }
      return isAnswer(current, request) ? current : undefined;
    },
  );
  const seconds = (Date.now() - startedAt) / 1000;
  for (const volume of status.volumes ?? []) screen.progress(progressLine(volume), true);
  if (status.phase !== 'Completed') throw new DemoFailure(failureText(status), looks(context));
  const volume = status.volumes?.[0];
  if (volume === undefined) throw new DemoFailure('the sync copied no volume', looks(context));
  const firstByteSeconds = firstByte(startedAt, seenFirstByteAt, volume.firstByteAt, seconds);
  screen.note(`first byte after ${formatSeconds(firstByteSeconds)}, whole sync ${formatSeconds(seconds)}`);
  return { status, volume, seconds, firstByteSeconds };
}

function hasBytes(volume: VolumeStatus): boolean {
  return volume.phase === 'Transferring' && (volume.bytesDone ?? 0) > 0;
}

function isAnswer(status: ReplicationStatus | undefined, request: string): status is ReplicationStatus {
  return status?.lastSyncRequest === request && (status.phase === 'Completed' || status.phase === 'Failed');
}

/**
 * Seconds from `startedAt` to the first byte. The cluster's own time is exact when its clock is ours; a time before
 * the start or after we saw bytes shows that it is not, and then what we saw counts.
 *
 * @param startedAt milliseconds since 1970
 * @param seenAt milliseconds since 1970 when the status first told of bytes here; undefined: never before the end
 * @param reported `firstByteAt` of the status
 * @param total seconds of the whole sync
 */
export function firstByte(
  startedAt: number,
  seenAt: number | undefined,
  reported: string | undefined,
  total: number,
): number {
  const seen = seenAt === undefined ? total : (seenAt - startedAt) / 1000;
  const exact = (Date.parse(reported ?? '') - startedAt) / 1000;
  return exact >= 0 && exact <= seen ? exact : seen;
}

function failureText(status: ReplicationStatus): string {
  const reasons = [
    ...(status.resourceStatus ?? []).flatMap(({ kind, failures = [] }) =>
      failures.map(({ name, reason, message }) => `${kind}/${name}: ${reason}, ${message}`),
    ),
    ...(status.volumes ?? [])
      .filter((volume) => volume.phase !== 'Succeeded')
      .map((volume) => `volume ${volume.name}: ${volume.reason ?? volume.phase}, ${volume.message ?? ''}`),
  ];
  return ['the sync ended as Failed', ...reasons].join('\n  ');
}

function looks({ source, remote }: Context): Look[] {
  return [
    describeLook(source, SYSTEM_NAMESPACE, 'replications.dr-syncer.io', REPLICATION),
    podsLook(source, SHOP),
    podsLook(remote, SHOP),
    eventsLook(remote, SHOP),
    podsLook(remote, SYSTEM_NAMESPACE),
    controllerLog(source),
  ];
}
