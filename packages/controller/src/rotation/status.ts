import type { HostKeyStatus, RotationStatus, SshKeyStatus } from '@dr-syncer/api';

import type { LoadedKeys } from './client-key-subject.js';
import type { Attempt } from './cluster-keys.js';
import type { LoadedHostKeys } from './host-key-subject.js';
import type { RotationOrder } from './key-rotation.js';
import type { RotationRecord } from './record.js';

/** As the schema allows. */
const MAX_NODES = 20;
const MAX_PROBLEM = 1024;

export function sshKeyStatusOf(attempt: Attempt<LoadedKeys>, order: RotationOrder): SshKeyStatus {
  const { current, createdAt, next, previous, revoked, record } = attempt.keys;
  const names = { next: next?.fingerprint, previous: previous?.fingerprint };
  const rotation = rotationStatusOf(record, attempt, names);
  const nodes = attempt.waitingFor.slice(0, MAX_NODES);
  return {
    fingerprint: current.fingerprint,
    ...times(createdAt, order),
    ...(rotation && { rotation }),
    ...(revoked.length > 0 && {
      revoked: {
        fingerprints: revoked.map(({ fingerprint }) => fingerprint),
        // While keys are replaced at the same time, nodes are waited for because of that.
        notConfirmedBy: record.phase === 'Idle' || record.phase === 'Revoking' ? nodes : [],
      },
    }),
  };
}

export function hostKeyStatusOf(attempt: Attempt<LoadedHostKeys>, order: RotationOrder): HostKeyStatus {
  const { createdAt, record } = attempt.keys;
  const rotation = rotationStatusOf(record, attempt, {});
  return { ...times(createdAt, order), ...(rotation && { rotation }) };
}

function times(createdAt: Date | undefined, order: RotationOrder): { createdAt?: string; dueAt?: string } {
  const due = createdAt && order.dueAt(createdAt);
  return {
    ...(createdAt && { createdAt: createdAt.toISOString() }),
    ...(due && { dueAt: due.toISOString() }),
  };
}

function rotationStatusOf(
  { phase, trigger, startedAt }: RotationRecord,
  { waitingFor, problem }: Attempt<unknown>,
  { next, previous }: { next?: string | undefined; previous?: string | undefined },
): RotationStatus | undefined {
  if (phase === 'Idle') return undefined;
  return {
    phase,
    ...(trigger && { trigger }),
    ...(startedAt && { startedAt: startedAt.toISOString() }),
    ...(next !== undefined && { next }),
    ...(previous !== undefined && { previous }),
    ...(waitingFor.length > 0 && { waitingFor: waitingFor.slice(0, MAX_NODES) }),
    ...(problem !== undefined && { problem: problem.slice(0, MAX_PROBLEM) }),
  };
}
