/** What StateMetrics gives beside dr_syncer_leader: help, then label names. docs/reference/metrics.md is made from this. */
export const stateGauges = {
  dr_syncer_build_info: ['Always 1; the version is in the label', 'version'],
  dr_syncer_work_queue_depth: ['Keys that wait to be reconciled', 'controller'],
  dr_syncer_replication_phase: ['Phase of the Replication: 1 for the one it has', 'replication', 'phase'],
  dr_syncer_replication_created_timestamp_seconds: ['Unix time the Replication was made at', 'replication'],
  dr_syncer_last_success_timestamp_seconds: [
    'Unix time of the state that the standby has: start of the last sync that copied everything',
    'replication',
  ],
  dr_syncer_seconds_since_last_success: ['How old the state of the standby is', 'replication'],
  dr_syncer_rpo_target_seconds: [
    'How old that is to get at most by the schedule; absent when syncs start by hand or are paused',
    'replication',
  ],
  dr_syncer_rpo_ratio: ['Age of the standby by its target: 1 is on time, more is late', 'replication'],
  dr_syncer_replication_objects: ['Objects of the last sync, by result', 'replication', 'result'],
  dr_syncer_prune_waiting_objects: [
    'Objects of the standby whose source is gone, in their grace period or held by the guard',
    'replication',
  ],
  dr_syncer_prune_guard_tripped: [
    'Always 1: so many objects are gone at the source that nothing is pruned until a person confirms',
    'replication',
  ],
  dr_syncer_hooks_owed: [
    'Post hooks that have not succeeded yet though their pre hooks were begun',
    'replication',
  ],
  dr_syncer_volume_phase: ['Phase of the volume: 1 for the one it has', 'replication', 'claim', 'phase'],
  dr_syncer_volume_last_success_timestamp_seconds: [
    'Unix time of the last complete copy of the volume',
    'replication',
    'claim',
  ],
  dr_syncer_volume_seconds_since_last_success: [
    'How long ago the last complete copy of the volume was made',
    'replication',
    'claim',
  ],
  dr_syncer_volume_rpo_ratio: [
    'Age of the copy by the target of its Replication: 1 is on time, more is late',
    'replication',
    'claim',
  ],
  dr_syncer_volume_guard_tripped: [
    'Always 1: the guard has kept the copy from being changed, until a person confirms',
    'replication',
    'claim',
    'reason',
  ],
  dr_syncer_volume_percent: ['How far a transfer that runs is', 'replication', 'claim'],
  dr_syncer_volume_bytes_per_second: ['Rate of a transfer that runs', 'replication', 'claim'],
  dr_syncer_remote_cluster_condition: [
    'Conditions of the RemoteCluster: 1 true, 0 not',
    'remote_cluster',
    'condition',
    'reason',
  ],
  dr_syncer_remote_cluster_agents: ['Nodes of the remote cluster, by agent', 'remote_cluster', 'state'],
  dr_syncer_remote_cluster_kubeconfig_expiry_timestamp_seconds: [
    'Unix time the token or client certificate of the kubeconfig ends at',
    'remote_cluster',
  ],
  dr_syncer_ssh_key_created_timestamp_seconds: [
    "Unix time the controller's key (client) or the agents' (host) was made at",
    'remote_cluster',
    'key',
  ],
  dr_syncer_ssh_key_due_timestamp_seconds: [
    'Unix time the key is to be replaced at; absent when that is done by hand',
    'remote_cluster',
    'key',
  ],
  dr_syncer_ssh_key_rotation_phase: [
    'Phase of the rotation of the key: 1 for the one it is in, 0 for all when none goes on',
    'remote_cluster',
    'key',
    'phase',
  ],
  dr_syncer_ssh_key_rotation_started_timestamp_seconds: [
    'Unix time the rotation that goes on was begun at',
    'remote_cluster',
    'key',
  ],
  dr_syncer_ssh_keys_revoked_unconfirmed: [
    'Revoked keys that some agent has not been seen to refuse yet',
    'remote_cluster',
  ],
} as const satisfies Readonly<Record<string, readonly [help: string, ...labels: string[]]>>;

export type StateGauge = keyof typeof stateGauges;
