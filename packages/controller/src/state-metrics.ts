import {
  remoteClusterStatus,
  replicationStatus,
  type RemoteClusterStatus,
  type ReplicationStatus,
  rotationPhases,
  type SshKeyStatus,
  volumePhases,
  type VolumeStatus,
} from '@dr-syncer/api';
import { keyOf, type KubeObject } from '@dr-syncer/kube';
import { Gauge, type Registry } from 'prom-client';

import { isGuardReason } from './volumes/guard/guard-status.js';

const replicationPhases = ['Pending', 'Running', 'Completed', 'Failed', 'Paused'] as const;

export interface StateMetricsOptions {
  readonly registry: Registry;
  readonly version: string;
  /** All there are now, from the mirrors. */
  readonly replications: () => readonly KubeObject[];
  readonly remoteClusters: () => readonly KubeObject[];
  /** Of the key towards the source's own agents, which have no object. */
  readonly sourceKeys: () => SshKeyStatus | undefined;
  readonly leading: () => boolean;
  /** Keys that wait, by controller. */
  readonly queues: () => Readonly<Record<string, number>>;
}

/**
 * What Replications and RemoteClusters say of themselves, as gauges: read from the objects when Prometheus asks, so that
 * a restarted controller forgets nothing and an object that is gone leaves no series behind. Label values are bounded by
 * the objects, of which a status lists at most 100 volumes.
 */
export class StateMetrics {
  readonly #options: StateMetricsOptions;
  readonly #gauges = new Map<string, Gauge>();

  constructor(options: StateMetricsOptions) {
    this.#options = options;
    const gauge = (name: string, help: string, ...labelNames: string[]) => {
      this.#gauges.set(name, new Gauge({ name, help, labelNames, registers: [options.registry] }));
    };
    new Gauge({
      name: 'dr_syncer_leader',
      help: 'Whether this process holds the lease and works (1), or stands by (0)',
      registers: [options.registry],
      // Prometheus asks one registry metric by metric, and this is the first: it fills all of them.
      collect: () => this.#collect(),
    });
    gauge('dr_syncer_build_info', 'Always 1; the version is in the label', 'version');
    gauge('dr_syncer_work_queue_depth', 'Keys that wait to be reconciled', 'controller');
    gauge(
      'dr_syncer_replication_phase',
      'Phase of the Replication: 1 for the one it has',
      'replication',
      'phase',
    );
    gauge(
      'dr_syncer_replication_created_timestamp_seconds',
      'Unix time the Replication was made at',
      'replication',
    );
    gauge(
      'dr_syncer_last_success_timestamp_seconds',
      'Unix time of the state that the standby has: start of the last sync that copied everything',
      'replication',
    );
    gauge('dr_syncer_replication_objects', 'Objects of the last sync, by result', 'replication', 'result');
    gauge(
      'dr_syncer_volume_phase',
      'Phase of the volume: 1 for the one it has',
      'replication',
      'claim',
      'phase',
    );
    gauge(
      'dr_syncer_volume_last_success_timestamp_seconds',
      'Unix time of the last complete copy of the volume',
      'replication',
      'claim',
    );
    gauge(
      'dr_syncer_volume_guard_tripped',
      'Always 1: the guard has kept the copy from being changed, until a person confirms',
      'replication',
      'claim',
      'reason',
    );
    gauge('dr_syncer_volume_percent', 'How far a transfer that runs is', 'replication', 'claim');
    gauge('dr_syncer_volume_bytes_per_second', 'Rate of a transfer that runs', 'replication', 'claim');
    gauge(
      'dr_syncer_remote_cluster_condition',
      'Conditions of the RemoteCluster: 1 true, 0 not',
      'remote_cluster',
      'condition',
      'reason',
    );
    gauge(
      'dr_syncer_remote_cluster_agents',
      'Nodes of the remote cluster, by agent',
      'remote_cluster',
      'state',
    );
    gauge(
      'dr_syncer_remote_cluster_kubeconfig_expiry_timestamp_seconds',
      'Unix time the token or client certificate of the kubeconfig ends at',
      'remote_cluster',
    );
    gauge(
      'dr_syncer_ssh_key_created_timestamp_seconds',
      "Unix time the controller's key for the remote cluster was made at",
      'remote_cluster',
    );
    gauge(
      'dr_syncer_ssh_key_rotation_phase',
      "Phase of the rotation of the controller's key: 1 for the one it is in, 0 for all when none goes on",
      'remote_cluster',
      'phase',
    );
    gauge(
      'dr_syncer_ssh_key_rotation_started_timestamp_seconds',
      'Unix time the rotation that goes on was begun at',
      'remote_cluster',
    );
    gauge(
      'dr_syncer_ssh_keys_revoked_unconfirmed',
      'Revoked keys that some agent has not been seen to refuse yet',
      'remote_cluster',
    );
  }

  #set(name: string, labels: Record<string, string>, value: number | undefined): void {
    if (value !== undefined && Number.isFinite(value)) this.#gauges.get(name)?.set(labels, value);
  }

  #collect(): void {
    const { version, leading, queues, replications, remoteClusters, sourceKeys, registry } = this.#options;
    for (const gauge of this.#gauges.values()) gauge.reset();
    (registry.getSingleMetric('dr_syncer_leader') as Gauge).set(leading() ? 1 : 0);
    this.#set('dr_syncer_build_info', { version }, 1);
    for (const [controller, depth] of Object.entries(queues())) {
      this.#set('dr_syncer_work_queue_depth', { controller }, depth);
    }
    for (const object of replications()) this.#replication(object);
    for (const object of remoteClusters()) this.#remoteCluster(object);
    const ofSource = sourceKeys();
    if (ofSource !== undefined) this.#keys({ remote_cluster: 'source' }, ofSource);
  }

  #keys(labels: Record<string, string>, { createdAt, rotation, revoked }: SshKeyStatus): void {
    this.#set('dr_syncer_ssh_key_created_timestamp_seconds', labels, seconds(createdAt));
    for (const phase of rotationPhases) {
      const value = rotation?.phase === phase ? 1 : 0;
      this.#set('dr_syncer_ssh_key_rotation_phase', { ...labels, phase }, value);
    }
    const { startedAt } = rotation ?? {};
    this.#set('dr_syncer_ssh_key_rotation_started_timestamp_seconds', labels, seconds(startedAt));
    const unconfirmed = revoked?.fingerprints.length ?? 0;
    this.#set('dr_syncer_ssh_keys_revoked_unconfirmed', labels, unconfirmed);
  }

  #replication(object: KubeObject): void {
    const replication = keyOf(object);
    const created = seconds(object.metadata.creationTimestamp);
    this.#set('dr_syncer_replication_created_timestamp_seconds', { replication }, created);
    const status: ReplicationStatus = replicationStatus.safeParse(object['status']).data ?? {};
    for (const phase of replicationPhases) {
      const value = (status.phase ?? 'Pending') === phase ? 1 : 0;
      this.#set('dr_syncer_replication_phase', { replication, phase }, value);
    }
    const success = seconds(status.lastSuccessTime);
    this.#set('dr_syncer_last_success_timestamp_seconds', { replication }, success);
    const { applied, unchanged, failed, skipped } = status.syncStats ?? {};
    for (const [result, count] of Object.entries({ applied, unchanged, failed, skipped })) {
      this.#set('dr_syncer_replication_objects', { replication, result }, count);
    }
    for (const volume of status.volumes ?? []) this.#volume({ replication, claim: volume.name }, volume);
  }

  #volume(labels: { replication: string; claim: string }, volume: VolumeStatus): void {
    const { reason, percent, bytesPerSecond } = volume;
    for (const phase of volumePhases) {
      this.#set('dr_syncer_volume_phase', { ...labels, phase }, volume.phase === phase ? 1 : 0);
    }
    const copied = seconds(volume.lastSuccessTime);
    this.#set('dr_syncer_volume_last_success_timestamp_seconds', labels, copied);
    if (reason !== undefined && volume.phase === 'Failed' && isGuardReason(reason)) {
      this.#set('dr_syncer_volume_guard_tripped', { ...labels, reason }, 1);
    }
    if (volume.phase !== 'Transferring') return;
    this.#set('dr_syncer_volume_percent', labels, percent);
    this.#set('dr_syncer_volume_bytes_per_second', labels, bytesPerSecond);
  }

  #remoteCluster(object: KubeObject): void {
    const labels = { remote_cluster: keyOf(object) };
    const status: RemoteClusterStatus = remoteClusterStatus.safeParse(object['status']).data ?? {};
    for (const { type, status: value, reason } of status.conditions ?? []) {
      const of = { ...labels, condition: type, reason };
      this.#set('dr_syncer_remote_cluster_condition', of, value === 'True' ? 1 : 0);
    }
    const { desired, ready } = status.agentStatus ?? {};
    this.#set('dr_syncer_remote_cluster_agents', { ...labels, state: 'desired' }, desired);
    this.#set('dr_syncer_remote_cluster_agents', { ...labels, state: 'ready' }, ready);
    const expiry = seconds(status.kubeconfig?.expiresAt);
    this.#set('dr_syncer_remote_cluster_kubeconfig_expiry_timestamp_seconds', labels, expiry);
    if (status.sshKey !== undefined) this.#keys(labels, status.sshKey);
  }
}

function seconds(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1000;
}
