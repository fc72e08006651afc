import { describe, expect, test } from '@jest/globals';
import { assign, validateContainer } from './assign.js';
import { fieldErrorText } from './field-error.js';
import { createProvider, type Provider } from './provider.js';
import type { Constraints, ContainerSecurityContext } from './types.js';

const any = { type: 'RunAsAny' };

function providerOf(rules: Partial<Constraints>): Provider {
  const provider = createProvider({
    metadata: { name: 'mine' },
    ...{ runAsUser: any, seLinuxContext: any, fsGroup: any, supplementalGroups: any },
    ...rules,
  });
  if (!provider.ok) throw new Error(provider.error);
  return provider.value;
}

/** As restricted-v2 has them. */
const restricted = { requiredDropCapabilities: ['ALL'], allowPrivilegeEscalation: false };

describe('Given what constraints say about a container', () => {
  test.each<[string, Partial<Constraints>, ContainerSecurityContext | null, unknown]>([
    ['nothing', {}, null, null],
    ['restricted-v2', restricted, null, { capabilities: { drop: ['ALL'] }, allowPrivilegeEscalation: false }],
    [
      'capabilities to add and drop beside those asked for',
      { allowedCapabilities: ['A'], defaultAddCapabilities: ['B', 'C'], requiredDropCapabilities: ['E'] },
      { capabilities: { add: ['A'], drop: ['C'] } },
      { capabilities: { add: ['A', 'B'], drop: ['C', 'E'] } },
    ],
    [
      'what is there already',
      { requiredDropCapabilities: ['E'] },
      { capabilities: { drop: ['Z', 'E'] } },
      { capabilities: { drop: ['Z', 'E'] } },
    ],
    [
      'a read-only root and no escalation by default',
      { readOnlyRootFilesystem: true, defaultAllowPrivilegeEscalation: false },
      {},
      { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
    ],
    [
      'no escalation by default, to a privileged one',
      { allowPrivilegedContainer: true, defaultAllowPrivilegeEscalation: false },
      { privileged: true },
      { privileged: true },
    ],
  ])('When it is %s, Then the container gets that', (_, rules, container, expected) => {
    const { security, errors } = assign(providerOf(rules), { pod: {}, container });

    expect(errors).toEqual([]);
    expect(security.container ?? null).toEqual(expected);
  });

  test.each<[string, Partial<Constraints>, ContainerSecurityContext, string[]]>([
    [
      'capabilities that may not be added',
      { allowedCapabilities: ['A'], defaultAddCapabilities: ['B'] },
      { capabilities: { add: ['A', 'B', 'C'] } },
      ['c.capabilities.add: Invalid value: "C": capability may not be added'],
    ],
    [
      'any capability, all being allowed',
      { allowedCapabilities: ['*'] },
      { capabilities: { add: ['C'] } },
      [],
    ],
    [
      'capabilities that are not dropped',
      restricted,
      { capabilities: { drop: ['KILL'] }, allowPrivilegeEscalation: false },
      [
        'c.capabilities.drop: Invalid value: []core.Capability{"KILL"}: ALL is required to be dropped but was not found',
      ],
    ],
    [
      'nothing at all',
      restricted,
      {},
      [
        'c.capabilities: Invalid value: "null": required capabilities are not set on the securityContext',
        'c.allowPrivilegeEscalation: Invalid value: "null": Allowing privilege escalation for containers is not allowed',
      ],
    ],
    [
      'privilege',
      { readOnlyRootFilesystem: true },
      { privileged: true, readOnlyRootFilesystem: false },
      [
        'c.privileged: Invalid value: true: Privileged containers are not allowed',
        'c.readOnlyRootFilesystem: Invalid value: false: ReadOnlyRootFilesystem must be set to true',
      ],
    ],
    ['privilege that is allowed', { allowPrivilegedContainer: true }, { privileged: true }, []],
  ])('When a container has %s, Then the answer is that', (_, rules, container, expected) => {
    const errors = validateContainer(providerOf(rules), 'c', { pod: {}, container });

    expect(errors.map(fieldErrorText)).toEqual(expected);
  });
});
