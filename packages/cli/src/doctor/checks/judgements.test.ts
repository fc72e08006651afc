import { customResourceDefinition, remoteClusterSchema, replicationDefinition } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import type { ReplicationView } from '../../status/view.js';
import { judgeActivation } from './activation.js';
import { type AgentPod, judgeAgents } from './agents.js';
import { judgeClocks, OWN_CLOCK } from './clocks.js';
import { judgeDefinition } from './definitions.js';
import { judgeConditions } from './remote-clusters.js';
import { judgeReplication } from './replications.js';
import { judgeVersions } from './versions.js';

const now = new Date('2026-03-01T12:00:00Z');

describe('Given clocks', () => {
  const clock = (whose: string, seconds: number) => ({ whose, aheadMs: seconds * 1000 });

  test.each([
    ['agree', [clock('a', 0), clock('b', 12), clock('c', -12)], []],
    ['has one that stands alone', [clock('a', 1), clock('b', 0), clock('c', -600)], ['c']],
    [
      'are those of a cluster, and this machine alone is wrong',
      [clock('a', 90), clock('b', 91)],
      ['this machine'],
    ],
  ])('When the set %s Then it is named', (_what, clocks, wrong) => {
    const findings = judgeClocks([OWN_CLOCK, ...clocks]).filter(({ severity }) => severity !== 'ok');

    expect(findings.map(({ subject }) => subject)).toEqual(wrong);
  });

  test('When this machine is wrong Then that is no error', () => {
    expect(judgeClocks([OWN_CLOCK, clock('a', 90), clock('b', 91)])[0]).toMatchObject({
      ...{ severity: 'note', message: 'its clock is 1m30s behind most of the others' },
    });
  });
});

describe('Given a definition', () => {
  const wanted = customResourceDefinition(replicationDefinition);
  const present = (): KubeObject => ({
    ...(structuredClone(wanted) as unknown as KubeObject),
    status: { conditions: [{ type: 'Established', status: 'True' }] },
  });
  const properties = (object: KubeObject): Record<string, unknown> => {
    const spec = object['spec'] as { versions: { schema: { openAPIV3Schema: { properties: unknown } } }[] };
    const { spec: ofSpec } = spec.versions[0]?.schema.openAPIV3Schema.properties as {
      spec: { properties: Record<string, unknown> };
    };
    return ofSpec.properties;
  };

  test.each<[string, (object: KubeObject) => void, string | undefined, string]>([
    ['is as it should be', () => undefined, undefined, 'up to date'],
    ['lacks a field', (object) => delete properties(object)['drift'], 'DefinitionOutdated', 'spec.drift'],
    ['has another field', (object) => (properties(object)['more'] = {}), 'DefinitionNewer', 'spec.more'],
    ['is not established', (object) => (object['status'] = {}), 'DefinitionNotReady', 'not established'],
  ])('When it %s Then that is found', (_what, change, code, text) => {
    const object = present();
    change(object);

    expect(judgeDefinition('x', object, wanted)).toMatchObject({
      ...(code !== undefined && { code }),
      message: expect.stringContaining(text) as unknown,
    });
  });

  test('When it is not there Then that is found', () => {
    expect(judgeDefinition('x', undefined, wanted).code).toBe('DefinitionMissing');
  });
});

describe('Given agents', () => {
  const daemonSet = (desired: number): KubeObject => ({
    ...{ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'dr-syncer-agent' } },
    status: { desiredNumberScheduled: desired },
  });
  const pod = (nodeName: string, ready: boolean, more: object = {}): AgentPod => ({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `agent-${nodeName}` }, spec: { nodeName } },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }], ...more },
  });
  const waiting = { containerStatuses: [{ name: 'ssh', state: { waiting: { reason: 'ErrImagePull' } } }] };

  test.each<[string, KubeObject | undefined, AgentPod[], boolean, (string | undefined)[], string]>([
    ['are ready', daemonSet(1), [pod('n1', true)], true, [undefined], '1 of 1'],
    ['are not installed', undefined, [], false, ['NotInstalled', 'HostKeysMissing'], 'no DaemonSet'],
    [
      'cannot pull',
      daemonSet(2),
      [pod('n1', true), pod('n2', false, waiting)],
      true,
      ['AgentNotReady'],
      'n2: ErrImagePull',
    ],
    ['have no pod', daemonSet(2), [pod('n1', true)], true, ['AgentNotReady'], '1 have no pod'],
    ['are wanted nowhere', daemonSet(0), [], true, ['AgentNotReady'], 'no node'],
    ['have no host keys', daemonSet(1), [pod('n1', true)], false, ['HostKeysMissing'], 'Secret'],
  ])('When they %s Then that is found', (_what, set, pods, hasKeys, codes, text) => {
    const findings = judgeAgents('source', set, pods, hasKeys);

    expect(findings.map(({ code }) => code)).toEqual(codes);
    expect(findings[0]?.message).toContain(text);
  });
});

describe('Given an active standby', () => {
  test.each([
    ['it was begun long ago', 'Starting', '2026-03-01T10:00:00Z', [], 'FailoverUnfinished'],
    ['it was begun a moment ago', 'Starting', '2026-03-01T11:59:00Z', [], 'StandbyIsActive'],
    ['nobody knows when it began', 'Starting', 'an unknown time', [], 'FailoverUnfinished'],
    ['the source is at rest', 'Active', '2026-03-01T10:00:00Z', [], 'StandbyIsActive'],
    ['the source runs too', 'Active', '2026-03-01T10:00:00Z', ['Deployment web'], 'BothSidesActive'],
  ] as const)('When %s Then that is found', (_what, phase, startedAt, running, code) => {
    expect(judgeActivation('x', { phase, startedAt }, running, now).code).toBe(code);
  });
});

describe('Given what the controller says of a remote', () => {
  const condition = (type: string, status: string, reason: string) => ({
    ...{ type, status, reason, message: `about ${type}`, lastTransitionTime: '2026-03-01T10:00:00Z' },
  });
  const judge = (status: object, spec: object = {}) => {
    const remote = remoteClusterSchema.parse({
      metadata: {
        ...{ name: 'standby', namespace: 'dr-syncer-system', uid: 'u', resourceVersion: '1', generation: 2 },
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      spec: { kubeconfigSecret: 'x', ...spec },
      status: { observedGeneration: 2, ...status },
    });
    return judgeConditions({ key: 'dr-syncer-system/standby', remote }, now).map(({ code, severity }) => [
      code,
      severity,
    ]);
  };

  test.each<[string, object, object, unknown[][]]>([
    [
      'all is well',
      { phase: 'Ready', conditions: [condition('Reachable', 'True', 'Connected')] },
      {},
      [[undefined, 'ok']],
    ],
    [
      'a step fails and the next one waits for it',
      {
        conditions: [
          condition('Reachable', 'False', 'RemoteUnreachable'),
          condition('AgentReady', 'Unknown', 'Waiting'),
        ],
      },
      {},
      [['RemoteUnreachable', 'error']],
    ],
    [
      'versions are far apart',
      { conditions: [condition('VersionsCompatible', 'False', 'VersionSkew')] },
      {},
      [['VersionSkew', 'warning']],
    ],
    ['it is paused', {}, { paused: true }, [['Paused', 'note']]],
    ['nobody has looked at it', { observedGeneration: 1 }, {}, [['RemoteClusterNotReady', 'error']]],
    [
      'a rotation is stuck',
      { sshKey: { fingerprint: 'x', rotation: { phase: 'Staged', startedAt: '2026-03-01T09:00:00Z' } } },
      {},
      [['RotationStuck', 'warning']],
    ],
    [
      'a rotation goes on',
      { sshKey: { fingerprint: 'x', rotation: { phase: 'Staged', startedAt: '2026-03-01T11:59:00Z' } } },
      {},
      [[undefined, 'ok']],
    ],
  ])('When %s Then that is found', (_what, status, spec, expected) => {
    expect(judge(status, spec)).toEqual(expected);
  });
});

describe('Given a Replication', () => {
  const view = (more: Partial<ReplicationView>): ReplicationView => ({
    ...{ replication: 'a/b', remoteCluster: 'a/c', sourceNamespace: 's', destinationNamespace: 's' },
    ...{ mode: 'Scheduled', phase: 'Completed', objects: { total: 1, failed: 0 } },
    ...{ volumes: { total: 0, failed: 0, done: 0 }, running: [] },
    ...more,
  });

  test.each<[string, Partial<ReplicationView>, string | undefined, string]>([
    ['it is in order', { rpoSeconds: 60 }, undefined, 'ok'],
    [
      'it has failed for a known cause',
      { phase: 'Failed', reason: 'QuotaExceeded' },
      'QuotaExceeded',
      'error',
    ],
    [
      'some of it has failed',
      { phase: 'Failed', reason: 'SyncIncomplete', rpoSeconds: 60 },
      'SyncFailed',
      'error',
    ],
    ['the standby is active', { phase: 'Paused', reason: 'StandbyActive' }, 'StandbyActive', 'note'],
    ['it is paused', { phase: 'Paused', reason: 'Paused' }, 'Paused', 'note'],
    ['it is overdue', { rpoSeconds: 900, overdueSeconds: 600 }, 'SyncOverdue', 'error'],
    ['it has never synced', { phase: 'Pending' }, 'NeverSynced', 'error'],
    [
      'it waits to be asked for the first time',
      { phase: 'Pending', mode: 'Manual' },
      'NeverSynced',
      'warning',
    ],
    ['it syncs for the first time', { phase: 'Running' }, undefined, 'ok'],
    [
      'its remote is not there',
      { phase: 'Pending', reason: 'RemoteClusterNotFound' },
      'RemoteClusterNotFound',
      'error',
    ],
  ])('When %s Then that is found', (_what, more, code, severity) => {
    const finding = judgeReplication(view(more));

    expect([finding.code, finding.severity]).toEqual([code, severity]);
  });
});

test('An agent of another version, or with an rsync that is too old, is named', () => {
  const hello = { version: '0.0.9', rsyncVersion: '3.2.7', privilegedMovers: false };

  expect(judgeVersions('n1', hello, '0.1.0').map(({ code }) => code)).toEqual([
    'AgentVersionDiffers',
    'RsyncTooOld',
  ]);
  expect(judgeVersions('n1', { ...hello, version: '0.1.0', privilegedMovers: true }, '0.1.0')).toEqual([]);
});
