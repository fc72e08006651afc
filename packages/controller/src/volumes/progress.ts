import type { VolumeStatus } from '@dr-syncer/api';
import type { TransferState } from '@dr-syncer/ssh';

import type { Scope } from './surveys/scope.js';
import type { Transferred } from './transfer.js';

/** What the status says of a transfer: whole numbers, and nothing that is not known. */
export function volumeProgress(state: TransferState): Partial<VolumeStatus> {
  const whole = (value: number | undefined) => (value === undefined ? undefined : Math.round(value));
  const fields = {
    percent:
      state.phase === 'Succeeded'
        ? 100
        : whole(state.percent === undefined ? undefined : Math.min(99, state.percent)),
    bytesDone: whole(state.bytesDone),
    bytesTotal: whole(state.bytesTotal),
    bytesPerSecond: whole(state.bytesPerSecond),
    etaSeconds: state.finishedAt === undefined ? whole(state.etaSeconds) : undefined,
    literalBytes: whole(state.literalBytes),
    filesTransferred: state.filesTransferred,
    filesTotal: state.filesTotal,
    filesDeleted: state.filesDeleted,
    attempt: state.attempt > 1 ? state.attempt : undefined,
    streams: state.streams,
    failures: state.failures,
    startedAt: state.startedAt,
    firstByteAt: state.firstByteAt,
    finishedAt: state.finishedAt,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** What was looked at, and why all of it was. */
export function scopeStatus({ state, begun }: Transferred): Partial<VolumeStatus> {
  const planned = begun?.scope;
  const scope = planned?.scope === 'None' ? 'None' : (state.scope ?? 'All');
  return { scope, scopeReason: scope === 'All' ? whyAll(planned) : '' };
}

function whyAll(planned: Scope | undefined): string {
  if (planned === undefined) return 'the transfer was begun by another process';
  return planned.scope === 'All' ? planned.reason : 'what had changed was no more as it was named';
}
