import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { KubeObject } from '@dr-syncer/kube';
import { Registry } from 'prom-client';

import { StateMetrics } from './state-metrics.js';

const condition = (type: string, status: string, reason: string) => ({
  ...{ type, status, reason, message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' },
});

describe('Given Replications and RemoteClusters with a status', () => {
  let registry: Registry;
  let replications: KubeObject[];
  let remoteClusters: KubeObject[];

  afterEach(() => {
    jest.restoreAllMocks();
  });

  beforeEach(() => {
    jest.spyOn(Date, 'now').mockReturnValue(Date.parse('2026-01-01T00:22:00Z'));
    registry = new Registry();
    const metadata = { name: 'a', namespace: 'n', creationTimestamp: '2026-01-01T00:00:00Z' };
    const volumes = [
      { name: 'data', phase: 'Succeeded', lastSuccessTime: '2026-01-01T00:01:00Z', percent: 100 },
      { name: 'moving', phase: 'Transferring', percent: 40, bytesPerSecond: 1_000 },
      { name: 'kept', phase: 'Failed', reason: 'DeletionGuard' },
    ];
    replications = [
      {
        ...{
          apiVersion: 'dr-syncer.io/v1alpha1',
          kind: 'Replication',
          metadata: { ...metadata, uid: 'u', resourceVersion: '1' },
        },
        spec: { destinationCluster: 'r', sync: { mode: 'Scheduled', schedule: '*/10 * * * *' } },
        status: {
          phase: 'Failed',
          lastSuccessTime: '2026-01-01T00:02:00Z',
          syncStats: { total: 10, applied: 1, unchanged: 6, failed: 2, skipped: 1, drifted: 3 },
          prune: { waiting: 30, token: 't' },
          volumes,
        },
      },
      {
        ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
        metadata: { ...metadata, name: 'new' },
      },
    ];
    remoteClusters = [
      {
        ...{
          apiVersion: 'dr-syncer.io/v1alpha1',
          kind: 'RemoteCluster',
          metadata: { ...metadata, name: 'r' },
        },
        status: {
          conditions: [
            condition('Ready', 'True', 'Ready'),
            condition('Reachable', 'False', 'RemoteUnreachable'),
          ],
          agentStatus: { desired: 3, ready: 2, summary: '2/3' },
          sshKey: {
            ...{ fingerprint: 'SHA256:x', createdAt: '2026-01-01T00:00:00Z' },
            rotation: { phase: 'Switched', startedAt: '2026-01-01T00:00:10Z' },
            revoked: { fingerprints: ['SHA256:y'], notConfirmedBy: ['n1'] },
          },
          hostKeys: { createdAt: '2026-01-01T00:00:00Z', dueAt: '2026-01-02T00:00:00Z' },
        },
      },
    ];
    new StateMetrics({
      ...{ registry, version: '1.2.3', leading: () => true, queues: () => ({ replication: 4 }) },
      replications: () => replications,
      remoteClusters: () => remoteClusters,
      sourceKeys: () => ({ fingerprint: 'SHA256:s', createdAt: '2026-01-01T00:00:01Z' }),
    });
  });

  test('when asked, it gives each as a gauge', async () => {
    const lines = (await registry.metrics()).split('\n');

    expect(lines).toEqual(
      expect.arrayContaining([
        'dr_syncer_leader 1',
        'dr_syncer_ssh_key_rotation_phase{remote_cluster="n/r",key="client",phase="Switched"} 1',
        'dr_syncer_ssh_key_rotation_phase{remote_cluster="n/r",key="client",phase="Staged"} 0',
        'dr_syncer_ssh_key_rotation_started_timestamp_seconds{remote_cluster="n/r",key="client"} 1767225610',
        'dr_syncer_ssh_keys_revoked_unconfirmed{remote_cluster="n/r"} 1',
        'dr_syncer_ssh_key_created_timestamp_seconds{remote_cluster="source",key="client"} 1767225601',
        'dr_syncer_ssh_key_rotation_phase{remote_cluster="source",key="client",phase="Switched"} 0',
        'dr_syncer_build_info{version="1.2.3"} 1',
        'dr_syncer_work_queue_depth{controller="replication"} 4',
        'dr_syncer_replication_phase{replication="n/a",phase="Failed"} 1',
        'dr_syncer_replication_phase{replication="n/a",phase="Completed"} 0',
        'dr_syncer_replication_phase{replication="n/new",phase="Pending"} 1',
        'dr_syncer_replication_created_timestamp_seconds{replication="n/new"} 1767225600',
        'dr_syncer_last_success_timestamp_seconds{replication="n/a"} 1767225720',
        'dr_syncer_replication_objects{replication="n/a",result="failed"} 2',
        'dr_syncer_replication_objects{replication="n/a",result="drifted"} 3',
        'dr_syncer_prune_waiting_objects{replication="n/a"} 30',
        'dr_syncer_prune_guard_tripped{replication="n/a"} 1',
        'dr_syncer_rpo_target_seconds{replication="n/a"} 600',
        'dr_syncer_seconds_since_last_success{replication="n/a"} 1200',
        'dr_syncer_rpo_ratio{replication="n/a"} 2',
        'dr_syncer_volume_seconds_since_last_success{replication="n/a",claim="data"} 1260',
        'dr_syncer_volume_rpo_ratio{replication="n/a",claim="data"} 2.1',
        'dr_syncer_ssh_key_created_timestamp_seconds{remote_cluster="n/r",key="host"} 1767225600',
        'dr_syncer_ssh_key_due_timestamp_seconds{remote_cluster="n/r",key="host"} 1767312000',
        'dr_syncer_volume_phase{replication="n/a",claim="data",phase="Succeeded"} 1',
        'dr_syncer_volume_last_success_timestamp_seconds{replication="n/a",claim="data"} 1767225660',
        'dr_syncer_volume_percent{replication="n/a",claim="moving"} 40',
        'dr_syncer_volume_bytes_per_second{replication="n/a",claim="moving"} 1000',
        'dr_syncer_volume_guard_tripped{replication="n/a",claim="kept",reason="DeletionGuard"} 1',
        'dr_syncer_remote_cluster_condition{remote_cluster="n/r",condition="Ready",reason="Ready"} 1',
        'dr_syncer_remote_cluster_condition{remote_cluster="n/r",condition="Reachable",reason="RemoteUnreachable"} 0',
        'dr_syncer_remote_cluster_agents{remote_cluster="n/r",state="ready"} 2',
        'dr_syncer_ssh_key_created_timestamp_seconds{remote_cluster="n/r",key="client"} 1767225600',
      ]),
    );
    expect(lines.filter((line) => line.includes('dr_syncer_volume_percent{'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('last_success') && line.includes('n/new'))).toEqual([]);
  });

  test('when an object is gone, its series are gone', async () => {
    await registry.metrics();
    replications = [];
    remoteClusters = [];

    const text = await registry.metrics();

    expect(text).not.toContain('n/a');
    expect(text).not.toContain('n/r');
  });

  test('when a status is not as the schema says, the object is shown as pending and nothing is thrown', async () => {
    replications = [{ ...(replications[0] as KubeObject), status: { phase: 7 } }];

    expect(await registry.metrics()).toContain(
      'dr_syncer_replication_phase{replication="n/a",phase="Pending"} 1',
    );
  });
});
