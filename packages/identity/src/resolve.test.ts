import { identitySchema, type Identity } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { resolveIdentity } from './resolve.js';
import type { Resolution, ResolveInput } from './resolution.js';
import type { WorkloadPod } from './workload.js';

const plain: ResolveInput = {
  side: 'destination',
  namespace: 'shop',
  annotations: {},
  moverSecurityContext: undefined,
  workloads: [],
  privilege: { privileged: false, code: 'NotAnnotated', requested: false, reason: 'not asked for' },
  devices: false,
  fileCapabilities: false,
};
const openshift: ResolveInput = {
  ...plain,
  annotations: {
    'openshift.io/sa.scc.uid-range': '1000690000/10000',
    'openshift.io/sa.scc.supplemental-groups': '1000690000/10000',
    'openshift.io/sa.scc.mcs': 's0:c26,c20',
  },
};
const privileged = {
  privilege: { privileged: true, code: 'Annotated' as const, requested: true, reason: 'annotated' },
};

const pod = (name: string, securityContext: unknown, ...containers: unknown[]): WorkloadPod => ({
  name,
  securityContext,
  containers: containers.map((context, index) => ({ name: `c${index}`, securityContext: context })),
});

describe('Given a namespace with annotations of OpenShift', () => {
  test('When nothing is asked for, Then it is what restricted-v2 would give, and never root', () => {
    const { identity, origins } = resolved(openshift);

    expect(identity).toEqual({
      uid: 1000690000,
      gid: 1000690000,
      groups: [1000690000],
      capabilities: [],
      fsGroup: 1000690000,
      seLinuxLabel: 'system_u:object_r:container_file_t:s0:c20,c26',
      umask: '0000',
      privileged: false,
    });
    expect(origins).toMatchObject({
      uid: 'namespace annotation openshift.io/sa.scc.uid-range',
      gid: expect.stringContaining('fsGroup'),
      fsGroup: 'namespace annotation openshift.io/sa.scc.supplemental-groups',
      seLinuxLabel: 'namespace annotation openshift.io/sa.scc.mcs',
    });
  });

  test('When ids of the range are asked for, Then they are taken', () => {
    const context = {
      runAsUser: 1000690005,
      runAsGroup: 1000690007,
      supplementalGroups: [1000699999],
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
      supplementalGroupsPolicy: 'Strict',
      fsGroupChangePolicy: 'OnRootMismatch',
    };

    expect(resolved({ ...openshift, moverSecurityContext: context }).identity).toMatchObject({
      uid: 1000690005,
      gid: 1000690007,
      groups: [1000690000, 1000690007, 1000699999],
      fsGroup: 1000690000,
      fsGroupChangePolicy: 'OnRootMismatch',
    });
  });

  test('When it is the source, Then nothing about files is said', () => {
    const { identity } = resolved({ ...openshift, side: 'source' });

    expect(identity).toMatchObject({ uid: 1000690000, groups: [1000690000] });
    expect(identity).not.toHaveProperty('fsGroup');
    expect(identity).not.toHaveProperty('seLinuxLabel');
  });

  test.each<[string, object, string, string]>([
    ['a user outside', { runAsUser: 1000 }, 'runAsUser', '1000690000-1000699999'],
    ['root', { runAsUser: 0 }, 'runAsUser', '1000690000-1000699999'],
    ['another fsGroup of the range', { fsGroup: 1000690001 }, 'fsGroup', '1000690000'],
    [
      'a foreign group',
      { supplementalGroups: [1000690001, 50000] },
      'supplementalGroups',
      '1000690000-1000699999',
    ],
    ['a foreign primary group', { runAsGroup: 50000 }, 'runAsGroup', '1000690000-1000699999'],
    ['the root group', { runAsGroup: 0 }, 'runAsGroup', '1000690000-1000699999'],
    [
      'another level',
      { seLinuxOptions: { level: 's0:c1,c2' } },
      'seLinuxOptions.level',
      'must be s0:c20,c26',
    ],
    [
      'a process type',
      { seLinuxOptions: { level: 's0:c20,c26', type: 'container_t' } },
      'seLinuxOptions.type',
      'must be ',
    ],
  ])('When %s is asked for, Then it is refused with what is allowed', (_, context, field, allowed) => {
    expect(refusals({ ...openshift, moverSecurityContext: context })).toContainEqual({
      path: `spec.moverSecurityContext.${field}`,
      value: expect.any(String),
      allowed,
      remedy: expect.stringMatching(/\S/),
    });
  });

  test('When its labels name policies, Then those are taken unless something nearer names one', () => {
    const labels = {
      'storage.openshift.io/fsgroup-change-policy': 'OnRootMismatch',
      'storage.openshift.io/selinux-change-policy': 'MountOption',
    };

    const { identity, origins } = resolved({ ...openshift, labels });
    expect(identity).toMatchObject({
      fsGroupChangePolicy: 'OnRootMismatch',
      seLinuxChangePolicy: 'MountOption',
    });
    expect(origins.fsGroupChangePolicy).toBe('namespace label storage.openshift.io/fsgroup-change-policy');
    const nearer = { ...openshift, labels, moverSecurityContext: { fsGroupChangePolicy: 'Always' } };
    expect(resolved(nearer).identity.fsGroupChangePolicy).toBe('Always');
    const wrong = { 'storage.openshift.io/fsgroup-change-policy': 'Sometimes' };
    const { identity: without, notes } = resolved({ ...openshift, labels: wrong });
    expect(without).not.toHaveProperty('fsGroupChangePolicy');
    expect(notes).toEqual([expect.stringContaining('"Sometimes" is not OnRootMismatch or Always')]);
  });

  test('When the level is written in another way, Then it is the same level', () => {
    const context = { seLinuxOptions: { level: 's0:c20,c26,c20' } };

    expect(resolved({ ...openshift, moverSecurityContext: context }).identity.seLinuxLabel).toMatch(
      /:s0:c20,c26$/,
    );
  });

  test('When the workload has ids of the range, Then they are taken; when not, a note says so', () => {
    const inside = [pod('web', { fsGroup: 1000690000 }, { runAsUser: 1000690042 })];
    expect(resolved({ ...openshift, workloads: inside }).identity.uid).toBe(1000690042);

    const outside = [pod('web', { runAsUser: 26, fsGroup: 26, supplementalGroups: [26, 1000690003] })];
    const { identity, notes } = resolved({ ...openshift, workloads: outside });
    expect(identity).toMatchObject({ uid: 1000690000, groups: [1000690000, 1000690003] });
    expect(notes).toEqual([
      'supplementalGroups 26 of pod web is not taken: the namespace allows 1000690000-1000699999',
      'runAsUser 26 of pod web is not taken: the namespace allows 1000690000-1000699999',
      'fsGroup 26 of pod web is not taken: the namespace allows 1000690000',
    ]);
  });

  test.each([
    ['openshift.io/sa.scc.uid-range', '0/0'],
    ['openshift.io/sa.scc.uid-range', '1/5,10/5'],
    ['openshift.io/sa.scc.supplemental-groups', ''],
    ['openshift.io/sa.scc.supplemental-groups', '1/5,x'],
    ['openshift.io/sa.scc.mcs', 's0:c1024'],
    ['openshift.io/sa.scc.mcs', ''],
  ])('When %s is %j, Then nothing runs, privileged or not', (name, value) => {
    for (const more of [{}, privileged]) {
      const input = { ...openshift, ...more, annotations: { ...openshift.annotations, [name]: value } };
      expect(refusals(input)).toEqual([expect.objectContaining({ path: `metadata.annotations["${name}"]` })]);
    }
  });

  test('When the range begins with root, Then its default is refused', () => {
    const annotations = { 'openshift.io/sa.scc.uid-range': '0/5' };

    expect(refusals({ ...openshift, annotations }).map(({ value }) => value)).toEqual(['0', '0']);
  });
});

describe('Given a plain namespace', () => {
  test('When nothing names a user, Then it is refused, never root', () => {
    const workloads = [pod('web', {}, {}), pod('web-1', undefined, undefined)];

    expect(refusals({ ...plain, workloads })).toEqual([
      {
        path: 'spec.moverSecurityContext.runAsUser',
        value: 'not set',
        allowed: '1-2147483647',
        remedy: expect.stringMatching(/^Set runAsUser .* \(no pod that mounts the volume names a user\)\.$/),
      },
    ]);
  });

  test('When the workload runs as root, Then it is refused, with a way out', () => {
    expect(refusals({ ...plain, workloads: [pod('web', { runAsUser: 0 })] })).toMatchObject([
      {
        path: 'spec.moverSecurityContext.runAsUser',
        remedy: expect.stringContaining(
          'runAsUser 0 of pod web is not taken: root only with privileged movers',
        ),
      },
    ]);
  });

  test('When the pods agree, Then their values are taken, the container before the pod', () => {
    const one = {
      runAsUser: 1,
      runAsGroup: 2000,
      fsGroup: 3000,
      supplementalGroups: [5, 4],
      seLinuxOptions: { level: 's0:c2,c1' },
    };
    const workloads = [
      pod('a', one, { runAsUser: 1000 }),
      pod('b', { ...one, runAsUser: 1000, supplementalGroups: [4, 5] }),
    ];

    const { identity, origins, notes } = resolved({ ...plain, workloads });

    expect(identity).toEqual({
      uid: 1000,
      gid: 2000,
      groups: [4, 5, 2000, 3000],
      capabilities: [],
      fsGroup: 3000,
      seLinuxLabel: 'system_u:object_r:container_file_t:s0:c1,c2',
      umask: '0000',
      privileged: false,
    });
    expect(origins.uid).toBe('securityContext of the workload (pod a)');
    expect(notes).toEqual([]);
  });

  test('When the pods differ, Then neither is taken and both are named', () => {
    const workloads = [pod('a', { runAsUser: 1000, fsGroup: 1 }), pod('b', { runAsUser: 2000, fsGroup: 1 })];

    expect(refusals({ ...plain, workloads })).toMatchObject([
      {
        path: 'spec.moverSecurityContext.runAsUser',
        remedy: expect.stringContaining('differ in runAsUser: 1000 in a, 2000 in b'),
      },
    ]);
    const { identity, notes } = resolved({ ...plain, workloads, moverSecurityContext: { runAsUser: 3000 } });
    expect(identity).toMatchObject({ uid: 3000, fsGroup: 1 });
    expect(notes).toEqual([expect.stringContaining('1000 in a, 2000 in b; neither is taken')]);
  });

  test('When the primary group of the workload is root, Then it is not taken', () => {
    const workloads = [pod('a', { runAsUser: 1000, runAsGroup: 0 })];

    expect(resolved({ ...plain, workloads }).identity).toMatchObject({
      uid: 1000,
      gid: 1000,
      groups: [1000],
    });
  });

  test.each<[string, object]>([
    ['runAsUser', { runAsUser: 0 }],
    ['runAsGroup', { runAsUser: 1, runAsGroup: 0 }],
    ['fsGroup', { runAsUser: 1, fsGroup: 0 }],
    ['supplementalGroups', { runAsUser: 1, supplementalGroups: [5, 0] }],
  ])('When %s is root, Then it takes privilege', (field, context) => {
    const path = `spec.moverSecurityContext.${field}`;
    expect(refusals({ ...plain, moverSecurityContext: context })).toMatchObject([{ path }]);
    expect(resolveIdentity({ ...plain, ...privileged, moverSecurityContext: context }).ok).toBe(true);
  });

  test('When fields are null or ask for nothing, Then they are as if absent', () => {
    const moverSecurityContext = {
      runAsUser: 1000,
      fsGroup: null,
      sysctls: [],
      seLinuxOptions: null,
      runAsNonRoot: false,
    };

    expect(resolved({ ...plain, moverSecurityContext }).identity).toMatchObject({ uid: 1000, gid: 1000 });
  });

  test('When only the range of users is annotated, Then it holds', () => {
    const input = { ...plain, annotations: { 'openshift.io/sa.scc.uid-range': '1000690000/10000' } };

    expect(resolved(input).identity).toMatchObject({ uid: 1000690000, gid: 1000690000, fsGroup: 1000690000 });
    expect(refusals({ ...input, moverSecurityContext: { runAsUser: 1000 } })).toHaveLength(1);
  });
});

describe('Given privileged movers', () => {
  test('When one receives, Then it is root with what ownership takes, and no group of the namespace', () => {
    expect(resolved({ ...openshift, ...privileged }).identity).toEqual({
      uid: 0,
      gid: 0,
      groups: [0],
      capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'],
      seLinuxLabel: 'system_u:object_r:container_file_t:s0:c20,c26',
      umask: '0077',
      privileged: true,
    });
  });

  test('When devices and file capabilities are wanted, Then just their capabilities are added', () => {
    const { identity } = resolved({ ...plain, ...privileged, devices: true, fileCapabilities: true });

    expect(identity.capabilities).toEqual(['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'MKNOD', 'SETFCAP']);
  });

  test.each<[string, Partial<ResolveInput>, number]>([
    ['nothing names a user', {}, 65534],
    ['the workload is root', { workloads: [pod('a', { runAsUser: 0 })] }, 65534],
    ['the workload is somebody', { workloads: [pod('a', { runAsUser: 1000 })] }, 1000],
    ['the namespace has a range', { annotations: openshift.annotations }, 1000690000],
    ['a user is asked for', { moverSecurityContext: { runAsUser: 7 } }, 7],
  ])('When one reads and %s, Then it can read all and write nothing', (_, change, uid) => {
    const { identity } = resolved({ ...plain, ...privileged, ...change, side: 'source', devices: true });

    expect(identity).toMatchObject({ uid, gid: uid, groups: [uid], capabilities: ['DAC_READ_SEARCH'] });
  });

  test('When runAsNonRoot is true, Then root is refused and another user is not', () => {
    const moverSecurityContext = { runAsNonRoot: true };

    expect(refusals({ ...plain, ...privileged, moverSecurityContext })).toMatchObject([
      { path: 'spec.moverSecurityContext.runAsNonRoot', value: 'true' },
    ]);
    const other = resolved({
      ...plain,
      ...privileged,
      moverSecurityContext: { ...moverSecurityContext, runAsUser: 1000 },
    });
    expect(other.identity).toMatchObject({
      uid: 1000,
      gid: 1000,
      capabilities: expect.arrayContaining(['CHOWN']),
    });
  });

  test('When ids outside of the ranges are asked for, Then they are taken; another level is not', () => {
    const moverSecurityContext = { runAsUser: 26, fsGroup: 26, supplementalGroups: [27] };

    expect(resolved({ ...openshift, ...privileged, moverSecurityContext }).identity).toMatchObject({
      uid: 26,
      gid: 26,
      groups: [26, 27],
      fsGroup: 26,
    });
    const level = { seLinuxOptions: { level: 's0:c1' } };
    expect(refusals({ ...openshift, ...privileged, moverSecurityContext: level })).toHaveLength(1);
  });

  test('When it was asked for and is not granted, Then it runs without and says so', () => {
    const privilege = {
      ...{ privileged: false, requested: true, reason: 'forbidden' },
      code: 'ForbiddenBySettings' as const,
    };

    const { identity, notes } = resolved({ ...openshift, privilege, devices: true, fileCapabilities: true });

    expect(identity).toMatchObject({ privileged: false, capabilities: [], uid: 1000690000 });
    expect(notes).toEqual([
      'unprivileged: forbidden',
      'device nodes are not copied: that takes privileged movers',
      'file capabilities are not copied: that takes privileged movers',
    ]);
  });
});

test('Given any input, Then there is a valid identity that is not root without privilege, or a refusal', () => {
  const id = fc.oneof(fc.constantFrom(0, 1, 1000, 1000690000, 4294967295, -1), fc.integer());
  const context = fc.record(
    {
      runAsUser: id,
      runAsGroup: id,
      fsGroup: id,
      supplementalGroups: fc.array(id, { maxLength: 70 }),
      runAsNonRoot: fc.boolean(),
      seLinuxOptions: fc.record({ level: fc.string() }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );
  const blocks = fc.oneof(fc.constantFrom('0/5', '1000690000/10000', '1-5', '0/0'), fc.string());
  const annotations = fc.record(
    { 'openshift.io/sa.scc.uid-range': blocks, 'openshift.io/sa.scc.supplemental-groups': blocks },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fc.constantFrom('source' as const, 'destination' as const),
      fc.boolean(),
      fc.option(fc.oneof(context, fc.anything()), { nil: undefined }),
      fc.array(fc.tuple(context, context), { maxLength: 3 }),
      annotations,
      (side, isPrivileged, moverSecurityContext, contexts, found) => {
        const workloads = contexts.map(([own, inner], index) => pod(`p${index}`, own, inner));
        const privilege = { ...privileged.privilege, privileged: isPrivileged, requested: isPrivileged };
        const given = resolveIdentity({
          ...plain,
          side,
          annotations: found,
          moverSecurityContext,
          workloads,
          privilege,
        });
        if (!given.ok) {
          expect(given.refusals.length).toBeGreaterThan(0);
          return;
        }
        const identity = identitySchema.parse(given.identity);
        expect(identity.groups).toContain(identity.gid);
        expect(identity.groups).toEqual([...new Set(identity.groups)].sort((a, b) => a - b));
        expect(Object.keys(given.origins).sort()).toEqual(Object.keys(identity).sort());
        if (isPrivileged) return;
        expect(identity.capabilities).toEqual([]);
        expect([identity.uid, ...identity.groups]).not.toContain(0);
      },
    ),
    { numRuns: 300 },
  );
});

function resolved(input: ResolveInput): Extract<Resolution, { ok: true }> & { identity: Identity } {
  const resolution = resolveIdentity(input);
  if (!resolution.ok) throw new Error(JSON.stringify(resolution.refusals));
  return resolution;
}

function refusals(input: ResolveInput): Extract<Resolution, { ok: false }>['refusals'] {
  const resolution = resolveIdentity(input);
  if (resolution.ok) throw new Error(`not refused: ${JSON.stringify(resolution.identity)}`);
  return resolution.refusals;
}
