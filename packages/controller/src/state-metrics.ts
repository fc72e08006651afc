import {
  type HostKeyStatus,
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

import { parseReplication } from './custom-resources.js';
import { rpoTargetSeconds } from './replication/rpo.js';
import { type StateGauge, stateGauges } from './state-gauges.js';
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
    new Gauge({
      name: 'dr_syncer_leader',
      help: 'Whether this process holds the lease and works (1), or stands by (0)',
      registers: [options.registry],
      // Prometheus asks one registry metric by metric, and this is the first: it fills all of them.
      collect: () => this.#collect(),
    });
    for (const [name, [help, ...labelNames]] of Object.entries(stateGauges)) {
      this.#gauges.set(name, new Gauge({ name, help, labelNames, registers: [options.registry] }));
    }
  }

  #set(name: StateGauge, labels: Record<string, string>, value: number | undefined): void {
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
    if (ofSource !== undefined) this.#clientKeys({ remote_cluster: 'source' }, ofSource);
  }

  #clientKeys(labels: { remote_cluster: string }, status: SshKeyStatus): void {
    this.#keys({ ...labels, key: 'client' }, status);
    const unconfirmed = status.revoked?.fingerprints.length ?? 0;
    this.#set('dr_syncer_ssh_keys_revoked_unconfirmed', labels, unconfirmed);
  }

  #keys(labels: Record<string, string>, { createdAt, dueAt, rotation }: SshKeyStatus | HostKeyStatus): void {
    this.#set('dr_syncer_ssh_key_created_timestamp_seconds', labels, seconds(createdAt));
    this.#set('dr_syncer_ssh_key_due_timestamp_seconds', labels, seconds(dueAt));
    for (const phase of rotationPhases) {
      const value = rotation?.phase === phase ? 1 : 0;
      this.#set('dr_syncer_ssh_key_rotation_phase', { ...labels, phase }, value);
    }
    const { startedAt } = rotation ?? {};
    this.#set('dr_syncer_ssh_key_rotation_started_timestamp_seconds', labels, seconds(startedAt));
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
    const parsed = parseReplication(object);
    const target = parsed.ok ? rpoTargetSeconds(parsed.value) : undefined;
    this.#set('dr_syncer_rpo_target_seconds', { replication }, target);
    this.#success(replication, seconds(status.lastSuccessTime), target);
    for (const [result, count] of Object.entries(status.syncStats ?? {})) {
      // The sum of the others.
      if (result !== 'total') this.#set('dr_syncer_replication_objects', { replication, result }, count);
    }
    this.#held(replication, status);
    for (const volume of status.volumes ?? []) {
      this.#volume({ replication, claim: volume.name }, volume, target);
    }
  }

  #held(replication: string, { prune, hooks }: ReplicationStatus): void {
    this.#set('dr_syncer_prune_waiting_objects', { replication }, prune?.waiting);
    if (prune?.token !== undefined) this.#set('dr_syncer_prune_guard_tripped', { replication }, 1);
    this.#set('dr_syncer_hooks_owed', { replication }, hooks?.open?.length ?? 0);
  }

  #success(replication: string, success: number | undefined, target: number | undefined): void {
    this.#set('dr_syncer_last_success_timestamp_seconds', { replication }, success);
    this.#set('dr_syncer_seconds_since_last_success', { replication }, age(success));
    this.#set('dr_syncer_rpo_ratio', { replication }, ratio(age(success), target));
  }

  #volume(
    labels: { replication: string; claim: string },
    volume: VolumeStatus,
    target: number | undefined,
  ): void {
    const { reason, percent, bytesPerSecond } = volume;
    for (const phase of volumePhases) {
      this.#set('dr_syncer_volume_phase', { ...labels, phase }, volume.phase === phase ? 1 : 0);
    }
    const copied = seconds(volume.lastSuccessTime);
    this.#set('dr_syncer_volume_last_success_timestamp_seconds', labels, copied);
    this.#set('dr_syncer_volume_seconds_since_last_success', labels, age(copied));
    this.#set('dr_syncer_volume_rpo_ratio', labels, ratio(age(copied), target));
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
    if (status.sshKey !== undefined) this.#clientKeys(labels, status.sshKey);
    if (status.hostKeys !== undefined) this.#keys({ ...labels, key: 'host' }, status.hostKeys);
  }
}

function seconds(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1000;
}

/** Of a Unix time; never negative, whatever the clocks say. */
function age(time: number | undefined): number | undefined {
  return time === undefined ? undefined : Math.max(0, Date.now() / 1000 - time);
}

function ratio(value: number | undefined, target: number | undefined): number | undefined {
  return value === undefined || target === undefined || target <= 0 ? undefined : value / target;
}
