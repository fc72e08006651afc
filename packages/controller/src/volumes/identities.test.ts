import { replicationSpec } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { decideIdentities, type IdentityInput, type MoverPolicy, requireIdentities } from './identities.js';
import { identityStatus } from './identity-status.js';

const annotation = 'dr-syncer.io/privileged-movers';
const policy: MoverPolicy = {
  allowedNamespaces: ['*'],
  annotatedAt: 'Both',
  preserve: { devices: false, fileCapabilities: true },
};
const range = (uids: string, level: string): Record<string, string> => ({
  'openshift.io/sa.scc.uid-range': uids,
  'openshift.io/sa.scc.supplemental-groups': uids,
  'openshift.io/sa.scc.mcs': level,
});
const here = range('1000690000/10000', 's0:c26,c20');
const there = range('1000720000/10000', 's0:c27,c14');

interface Given {
  readonly source?: Record<string, string>;
  readonly destination?: Record<string, string>;
  readonly spec?: Record<string, unknown>;
  readonly workloads?: IdentityInput['workloads'];
  readonly policy?: Partial<MoverPolicy>;
}

function decided(given: Given = {}) {
  const { source = {}, destination = {}, spec = {}, workloads = [] } = given;
  return decideIdentities({
    replication: { spec: replicationSpec.parse({ destinationCluster: 'standby', ...spec }) },
    sourceNamespace: { metadata: { name: 'shop', annotations: source } },
    destinationNamespace: { metadata: { name: 'shop-dr', annotations: destination } },
    workloads,
    policy: { ...policy, ...given.policy },
  });
}

describe('Given namespaces with different ranges at both ends', () => {
  test('When movers are unprivileged, Then each end runs as its own namespace says, and nothing is mapped', () => {
    const identities = requireIdentities(decided({ source: here, destination: there }));

    expect(identities.source).toMatchObject({ uid: 1000690000, groups: [1000690000], capabilities: [] });
    expect(identities.destination).toMatchObject({
      uid: 1000720000,
      fsGroup: 1000720000,
      seLinuxLabel: 'system_u:object_r:container_file_t:s0:c14,c27',
    });
    expect(identities.idMap).toEqual({ users: [], groups: [] });
  });

  test('When movers are privileged, Then the ids of the workload become those of the destination', () => {
    const workloads = [
      { name: 'db', securityContext: { runAsUser: 1000690000, fsGroup: 1000690000 }, containers: [] },
      { name: 'web', securityContext: { runAsUser: 1000690005 }, containers: [] },
    ];
    const mark = { [annotation]: 'true' };

    const decision = decided({
      ...{ source: { ...here, ...mark }, destination: { ...there, ...mark }, workloads },
    });

    expect(decision.idMap).toEqual({
      users: [
        [1000690000, 1000720000],
        [1000690005, 1000720005],
      ],
      groups: [[1000690000, 1000720000]],
    });
    expect(identityStatus(decision)).toMatchObject({
      privileged: true,
      reason: 'both namespaces are annotated dr-syncer.io/privileged-movers=true',
      idMap: {
        users: ['1000690000:1000720000', '1000690005:1000720005'],
        groups: ['1000690000:1000720000'],
      },
    });
  });

  test('When a user is named that only one end allows, Then the other end refuses it', () => {
    const spec = { moverSecurityContext: { runAsUser: 1000690000 } };

    expect(() => requireIdentities(decided({ source: here, destination: there, spec }))).toThrow(
      expect.objectContaining({
        code: 'IdentityRefused',
        message: expect.stringMatching(
          /^destination: spec\.moverSecurityContext\.runAsUser: 1000690000; allowed: 1000720000-1000729999\. /,
        ),
      }),
    );
  });
});

describe('Given an annotation that was taken away from one end', () => {
  const source = { [annotation]: 'true' };

  test('When nothing else names a user, Then it is refused, and the message says what is missing where', () => {
    const decision = decided({ source });

    expect(() => requireIdentities(decision)).toThrow(
      /^both ends: spec\.moverSecurityContext\.runAsUser: not set; .*Unprivileged, since dr-syncer\.io\/privileged-movers=true is missing on the destination namespace shop-dr$/,
    );
    expect(identityStatus(decision)).toEqual({
      privileged: false,
      reason: 'dr-syncer.io/privileged-movers=true is missing on the destination namespace shop-dr',
    });
  });

  test('When a user is named, Then it runs unprivileged and a note says so', () => {
    const decision = decided({ source, spec: { moverSecurityContext: { runAsUser: 1000, fsGroup: 2000 } } });

    expect(requireIdentities(decision).notes).toEqual([
      'unprivileged: dr-syncer.io/privileged-movers=true is missing on the destination namespace shop-dr',
    ]);
  });
});

test('Given privilege and runAsNonRoot, Then it is refused and says both', () => {
  const mark = { [annotation]: 'True' };
  const spec = { moverSecurityContext: { runAsNonRoot: true } };

  expect(() => requireIdentities(decided({ source: mark, destination: mark, spec }))).toThrow(
    /spec\.moverSecurityContext\.runAsNonRoot: true; allowed: not true: the privileged mover runs as root/,
  );
});

describe('Given that devices and file capabilities are asked for', () => {
  const mark = { [annotation]: 'true' };
  const spec = { pvcConfig: { preserve: { devices: true, fileCapabilities: true } } };
  const all = { devices: true, fileCapabilities: true };

  test.each([
    ['the settings allow both', mark, all, all, ['MKNOD', 'SETFCAP'], []],
    [
      'the settings allow one',
      mark,
      policy.preserve,
      policy.preserve,
      ['SETFCAP'],
      ['device nodes are not copied: the settings of the controller do not allow it'],
    ],
    [
      'movers are unprivileged',
      {},
      all,
      { devices: false, fileCapabilities: false },
      [],
      [
        'device nodes are not copied: that takes privileged movers',
        'file capabilities are not copied: that takes privileged movers',
      ],
    ],
  ])('When %s, Then that is what is done and said', (_, annotations, allowed, done, capabilities, notes) => {
    const decision = decided({
      ...{ source: annotations, destination: annotations, policy: { preserve: allowed } },
      spec: { ...spec, moverSecurityContext: { runAsUser: 1000 } },
    });

    const identities = requireIdentities(decision);
    expect(identities.preserve).toEqual(done);
    expect(identities.destination.capabilities.filter((name) => ['MKNOD', 'SETFCAP'].includes(name))).toEqual(
      capabilities,
    );
    expect(identities.notes).toEqual(notes);
  });
});

test('Given a decision, Then the status has each value with where it comes from', () => {
  const workloads = [{ name: 'db-0', securityContext: { runAsUser: 999, fsGroup: 999 }, containers: [] }];

  const { source, destination, ...rest } = identityStatus(decided({ workloads }));

  expect(rest).toEqual({
    privileged: false,
    reason: 'no namespace is annotated dr-syncer.io/privileged-movers=true',
  });
  expect(source).toEqual({
    ...{ uid: 999, gid: 999, groups: [999], capabilities: [], umask: '0000' },
    origins: {
      uid: 'securityContext of the workload (pod db-0)',
      gid: 'the fsGroup (securityContext of the workload (pod db-0))',
      groups: 'gid, fsGroup and supplemental groups (none named)',
      capabilities: 'none without privileged movers',
      umask: 'modes are those of the source',
    },
  });
  expect(destination).toMatchObject({
    fsGroup: 999,
    origins: { fsGroup: 'securityContext of the workload (pod db-0)' },
  });
});
