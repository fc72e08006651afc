import { describe, expect, test } from '@jest/globals';
import { sccAnnotation, uidRange, type Annotations } from './annotations.js';
import { assign, effectiveContext, validateContainer, validatePod } from './assign.js';
import { fieldErrorText } from './field-error.js';
import { createProvider, providerForNamespace, type Provider } from './provider.js';
import type { Constraints, ContainerSecurityContext, PodSecurityContext } from './types.js';

const any = { type: 'RunAsAny' };
const scc: Constraints = {
  metadata: { name: 'mine' },
  runAsUser: any,
  seLinuxContext: any,
  fsGroup: any,
  supplementalGroups: any,
};
const restricted: Constraints = {
  ...scc,
  runAsUser: { type: 'MustRunAsRange' },
  seLinuxContext: { type: 'MustRunAs' },
  fsGroup: { type: 'MustRunAs' },
  supplementalGroups: { type: 'MustRunAs' },
};
const annotations: Annotations = {
  [sccAnnotation.uidRange]: '1000690000/10000',
  [sccAnnotation.supplementalGroups]: '5000/10,6000-6010',
  [sccAnnotation.mcs]: 's0:c26,c20',
};

describe('Given constraints', () => {
  test.each<[string, Constraints, string]>([
    ['MustRunAs without a user', { ...scc, runAsUser: { type: 'MustRunAs' } }, 'MustRunAs requires a UID'],
    [
      'a range without a start',
      { ...scc, runAsUser: { type: 'MustRunAsRange', uidRangeMax: 1 } },
      'requires a UIDRangeMin',
    ],
    [
      'a range without an end',
      { ...scc, runAsUser: { type: 'MustRunAsRange', uidRangeMin: 1 } },
      'requires a UIDRangeMax',
    ],
    ['no SELinux options', { ...scc, seLinuxContext: { type: 'MustRunAs' } }, 'requires SELinuxOptions'],
    ['no ranges', { ...scc, fsGroup: { type: 'MustRunAs' } }, 'ranges must be supplied'],
    [
      'an unknown user strategy',
      { ...scc, runAsUser: { type: 'x' } },
      'Unrecognized RunAsUser strategy type x',
    ],
    [
      'an unknown SELinux strategy',
      { ...scc, seLinuxContext: { type: 'x' } },
      'Unrecognized SELinuxContext strategy type x',
    ],
    [
      'an unknown group strategy',
      { ...scc, supplementalGroups: { type: 'x' } },
      'Unrecognized SupplementalGroups strategy',
    ],
  ])('When they have %s, Then there is no provider', (_, constraints, error) => {
    expect(createProvider(constraints)).toEqual({ ok: false, error: expect.stringContaining(error) });
  });

  test.each<[string, Constraints, ContainerSecurityContext, string[]]>([
    ['MustRunAs', { ...scc, runAsUser: { type: 'MustRunAs', uid: 7 } }, {}, ['c.runAsUser: Required value']],
    [
      'MustRunAs',
      { ...scc, runAsUser: { type: 'MustRunAs', uid: 7 } },
      { runAsUser: 8 },
      ['c.runAsUser: Invalid value: 8: must be: 7'],
    ],
    ['MustRunAs', { ...scc, runAsUser: { type: 'MustRunAs', uid: 7 } }, { runAsUser: 7 }, []],
    [
      'a range',
      { ...scc, runAsUser: { type: 'MustRunAsRange', uidRangeMin: 5, uidRangeMax: 9 } },
      { runAsUser: 10 },
      ['c.runAsUser: Invalid value: 10: must be in the ranges: [5, 9]'],
    ],
    [
      'a range',
      { ...scc, runAsUser: { type: 'MustRunAsRange', uidRangeMin: 5, uidRangeMax: 9 } },
      { runAsUser: 9 },
      [],
    ],
    [
      'MustRunAsNonRoot',
      { ...scc, runAsUser: { type: 'MustRunAsNonRoot' } },
      {},
      ['c.runAsNonRoot: Required value: must be true'],
    ],
    [
      'MustRunAsNonRoot',
      { ...scc, runAsUser: { type: 'MustRunAsNonRoot' } },
      { runAsUser: 1, runAsNonRoot: false },
      ['c.runAsNonRoot: Invalid value: false: must be true'],
    ],
    [
      'MustRunAsNonRoot',
      { ...scc, runAsUser: { type: 'MustRunAsNonRoot' } },
      { runAsUser: 0 },
      ['c.runAsUser: Invalid value: 0: running with the root UID is forbidden'],
    ],
    ['RunAsAny', scc, { runAsUser: 0, seLinuxOptions: { type: 'spc_t' } }, []],
  ])(
    'When the user is under %s, Then the container answers as admission does',
    (_, constraints, container, errors) => {
      expect(validateContainer(made(constraints), 'c', { pod: {}, container }).map(fieldErrorText)).toEqual(
        errors,
      );
    },
  );

  test.each<[Constraints, PodSecurityContext, string[]]>([
    [
      { ...scc, fsGroup: { type: 'MustRunAs', ranges: [{ min: 1, max: 2 }] } },
      {},
      ['p.fsGroup: Invalid value: []int64{}: unable to validate empty groups against required ranges'],
    ],
    [
      { ...scc, fsGroup: { type: 'MustRunAs', ranges: [{ min: 1, max: 2 }] } },
      { fsGroup: 3 },
      ['p.fsGroup: Invalid value: []int64{3}: 3 is not an allowed group'],
    ],
    [
      { ...scc, supplementalGroups: { type: 'MustRunAs', ranges: [{ min: 1, max: 2 }] } },
      {},
      [
        'p.supplementalGroups: Invalid value: []int64(nil): unable to validate empty groups against required ranges',
      ],
    ],
    [
      { ...scc, supplementalGroups: { type: 'MustRunAs', ranges: [{ min: 1, max: 2 }] } },
      { supplementalGroups: [2, 3, 4] },
      [
        'p.supplementalGroups: Invalid value: []int64{2, 3, 4}: 3 is not an allowed group',
        'p.supplementalGroups: Invalid value: []int64{2, 3, 4}: 4 is not an allowed group',
      ],
    ],
    [
      { ...scc, seLinuxContext: { type: 'MustRunAs', seLinuxOptions: { level: 's0:c1,c2' } } },
      {},
      ['p.seLinuxOptions: Required value'],
    ],
    [
      { ...scc, seLinuxContext: { type: 'MustRunAs', seLinuxOptions: { level: 's0:c1,c2' } } },
      { seLinuxOptions: { level: 's0:c2,c1' } },
      [],
    ],
    [
      { ...scc, seLinuxContext: { type: 'MustRunAs', seLinuxOptions: { level: 's0:c0,c1,c2' } } },
      { seLinuxOptions: { level: 's0:c0.c2' } },
      ['p.seLinuxOptions.level: Invalid value: "s0:c0.c2": must be s0:c0,c1,c2'],
    ],
    [
      { ...scc, seLinuxContext: { type: 'MustRunAs', seLinuxOptions: { level: 's0' } } },
      { seLinuxOptions: { level: 's0', type: 'container_t', role: 'r', user: 'u' } },
      [
        'p.seLinuxOptions.role: Invalid value: "r": must be ',
        'p.seLinuxOptions.type: Invalid value: "container_t": must be ',
        'p.seLinuxOptions.user: Invalid value: "u": must be ',
      ],
    ],
  ])('When a pod is looked at, Then it answers as admission does (%#)', (constraints, pod, errors) => {
    expect(validatePod(made(constraints), 'p', pod).map(fieldErrorText)).toEqual(errors);
  });
});

describe('Given the annotations of a namespace', () => {
  test('When a pod names nothing, Then it gets the first ids and the level', () => {
    const { security, errors } = assign(forNamespace(restricted), { pod: {} });

    expect(errors).toEqual([]);
    expect(effectiveContext(security)).toMatchObject({ runAsUser: 1000690000, runAsNonRoot: true });
    expect(security.pod).toMatchObject({
      fsGroup: 5000,
      supplementalGroups: [5000],
      seLinuxOptions: { level: 's0:c26,c20' },
    });
  });

  test('When values are named, Then they are kept, and checked against all blocks', () => {
    const pod = { runAsUser: 1000699999, fsGroup: 5000, supplementalGroups: [6010, 5009] };
    expect(assign(forNamespace(restricted), { pod })).toMatchObject({ errors: [], security: { pod } });

    const gap = assign(forNamespace(restricted), {
      pod: { ...pod, fsGroup: 5001, supplementalGroups: [5010] },
    });
    expect(gap.errors.map(({ path }) => path)).toEqual([
      '.spec.securityContext.fsGroup',
      '.spec.securityContext.supplementalGroups',
    ]);
  });

  test('When a list of groups is there but empty, Then it is not given a default', () => {
    const { errors } = assign(forNamespace(restricted), { pod: { supplementalGroups: [] } });

    expect(errors.map(fieldErrorText)).toEqual([
      expect.stringContaining('[]int64{}: unable to validate empty groups'),
    ]);
  });

  test('When SELinux options have no level, Then it is not filled in', () => {
    const { errors } = assign(forNamespace(restricted), { pod: { seLinuxOptions: {} } });

    expect(errors.map(({ path }) => path)).toEqual([
      '.spec.securityContext.seLinuxOptions.level',
      '.containers[0].seLinuxOptions.level',
    ]);
  });

  test('When there is none for groups, Then that for users serves; when it is empty, it does not', () => {
    const others = except(sccAnnotation.supplementalGroups);
    expect(forNamespace(restricted, others).constraints.fsGroup.ranges).toEqual([
      { min: 1000690000, max: 1000690000 },
    ]);

    const empty = providerForNamespace(
      restricted,
      { ...annotations, [sccAnnotation.supplementalGroups]: '' },
      'ns',
    );
    expect(empty).toMatchObject({
      ok: false,
      error: expect.stringContaining('unable to find pre-allocated group'),
    });
  });

  test.each([sccAnnotation.uidRange, sccAnnotation.mcs])(
    'When %s is missing, Then nothing is admitted',
    (name) => {
      const others = except(name);

      expect(providerForNamespace(scc, others, 'ns')).toEqual({
        ok: false,
        error: `error fetching namespace "ns": unable to find annotation ${name}`,
      });
    },
  );

  test('When only one end of a range is set, Then the other is not filled in', () => {
    const half = { ...scc, runAsUser: { type: 'MustRunAsRange', uidRangeMin: 5 } };

    expect(providerForNamespace(half, annotations, 'ns')).toMatchObject({
      error: 'error creating provider for SCC mine in namespace ns: MustRunAsRange requires a UIDRangeMax',
    });
  });

  test('When a range of users has two blocks, Then it is refused and not cut', () => {
    expect(uidRange({ [sccAnnotation.uidRange]: '1/5,10/5' })).toMatchObject({ rule: 'SeveralBlocks' });
    expect(uidRange({ [sccAnnotation.uidRange]: 'x,10/5' })).toMatchObject({ rule: 'Syntax' });
  });
});

function except(name: string): Annotations {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => key !== name));
}

function made(constraints: Constraints): Provider {
  const provider = createProvider(constraints);
  if (!provider.ok) throw new Error(provider.error);
  return provider.value;
}

function forNamespace(constraints: Constraints, from: Annotations = annotations): Provider {
  const provider = providerForNamespace(constraints, from, 'ns');
  if (!provider.ok) throw new Error(provider.error);
  return provider.value;
}
