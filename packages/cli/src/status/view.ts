import type { Condition, Replication, ReplicationStatus, VolumeStatus } from '@dr-syncer/api';
import { parseRemoteCluster, parseReplication, routeOf } from '@dr-syncer/controller';
import { keyOf, type KubeObject } from '@dr-syncer/kube';

import { defined } from '../defined.js';

/** What is to be known of a Replication at a glance; also the JSON of `status`. */
export interface ReplicationView {
  readonly replication: string;
  /** `namespace/name` of the RemoteCluster. */
  readonly remoteCluster: string;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
  readonly mode: string;
  readonly phase: string;
  /** Of the condition Ready, where that is not True. */
  readonly reason?: string;
  readonly message?: string;
  /** The state of the source that the standby has: start of the last sync that copied everything. */
  readonly stateOf?: string;
  /** Its age: what would be lost by a failover now. */
  readonly rpoSeconds?: number;
  readonly nextSync?: string;
  /** Seconds since the next sync should have begun. */
  readonly overdueSeconds?: number;
  readonly objects: { readonly total: number; readonly failed: number };
  readonly volumes: { readonly total: number; readonly failed: number; readonly done: number };
  /** Those that something is being done with now. */
  readonly running: readonly VolumeStatus[];
}

export interface RemoteClusterView {
  readonly remoteCluster: string;
  readonly phase: string;
  readonly agents: string;
  readonly version?: string;
  readonly reason?: string;
  readonly message?: string;
}

/** Later than this is not just the time that a start takes. */
const OVERDUE_S = 60;

/** Pure. @param now the time that ages are counted to */
export function replicationView(object: KubeObject, now: Date): ReplicationView {
  const parsed = parseReplication(object);
  if (!parsed.ok) return unreadable(object, parsed.problem);
  const replication = parsed.value;
  const { status = {}, spec } = replication;
  const { phase = 'Pending', volumes = [] } = status;
  const [done, total] = volumeCount(status);
  return {
    replication: keyOf(object),
    ...placesOf(replication),
    mode: spec.sync.mode,
    phase,
    ...notReady(status),
    ...defined({
      stateOf: status.lastSuccessTime,
      rpoSeconds: ageSeconds(status.lastSuccessTime, now),
      nextSync: status.nextSyncTime,
      overdueSeconds: overdue(replication, now),
    }),
    objects: { total: status.syncStats?.total ?? 0, failed: status.syncStats?.failed ?? 0 },
    volumes: { total, done, failed: volumes.filter((volume) => volume.phase === 'Failed').length },
    running: phase === 'Running' ? volumes.filter(isRunning) : [],
  };
}

function overdue({ spec, status }: Replication, now: Date): number | undefined {
  if (spec.paused || status?.phase === 'Running') return undefined;
  const late = ageSeconds(status?.nextSyncTime, now) ?? 0;
  return late > OVERDUE_S ? late : undefined;
}

function notReady({ conditions = [] }: { conditions?: Condition[] | undefined }): {
  reason?: string;
  message?: string;
} {
  const ready = conditions.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status === 'True'
    ? {}
    : { reason: ready.reason, message: ready.message };
}

/** Pure. */
export function remoteClusterView(object: KubeObject): RemoteClusterView {
  const parsed = parseRemoteCluster(object);
  if (!parsed.ok) {
    return {
      remoteCluster: keyOf(object),
      ...{ phase: 'Unknown', agents: '', reason: 'Unreadable', message: parsed.problem },
    };
  }
  const { status = {} } = parsed.value;
  return {
    remoteCluster: keyOf(object),
    phase: status.phase ?? 'Pending',
    agents: status.agentStatus?.summary ?? '',
    ...defined({ version: status.serverVersion }),
    ...notReady(status),
  };
}

/** Seconds since then, 0 for the future; undefined: no time, or none that can be read. */
export function ageSeconds(time: string | undefined, now: Date): number | undefined {
  const ms = now.getTime() - Date.parse(time ?? '');
  return Number.isFinite(ms) ? Math.max(0, Math.round(ms / 1000)) : undefined;
}

const running: readonly VolumeStatus['phase'][] = [
  ...(['Preparing', 'Transferring', 'SettingPermissions', 'Verifying'] as const),
];

function isRunning({ phase }: VolumeStatus): boolean {
  return running.includes(phase);
}

/** The summary counts all of them; only a hundred are listed. */
function volumeCount({ volumesSummary = '' }: ReplicationStatus): [done: number, total: number] {
  const [done = 0, total = 0] = volumesSummary.split('/').map(Number);
  return Number.isInteger(done) && Number.isInteger(total) ? [done, total] : [0, 0];
}

type Places = Pick<ReplicationView, 'remoteCluster' | 'sourceNamespace' | 'destinationNamespace'>;

function placesOf(replication: Replication): Places {
  const { metadata, spec } = replication;
  try {
    const { remoteKey, sourceNamespace, destinationNamespace } = routeOf(replication);
    return { remoteCluster: remoteKey, sourceNamespace, destinationNamespace };
  } catch {
    // Refused: what it asks for is shown, and the reason is in its condition.
    const sourceNamespace = spec.sourceNamespace ?? metadata.namespace;
    const destinationNamespace = spec.destinationNamespace ?? sourceNamespace;
    return { remoteCluster: spec.destinationCluster, sourceNamespace, destinationNamespace };
  }
}

function unreadable(object: KubeObject, problem: string): ReplicationView {
  const none = { total: 0, failed: 0 };
  return {
    ...{ replication: keyOf(object), remoteCluster: '', sourceNamespace: '', destinationNamespace: '' },
    ...{ mode: '', phase: 'Unknown', reason: 'Unreadable', message: problem },
    ...{ objects: none, volumes: { ...none, done: 0 }, running: [] },
  };
}
