import { describe, expect, test } from '@jest/globals';
import { parseMoverContext } from './mover-context.js';

describe('Given a moverSecurityContext', () => {
  test.each<[string, unknown]>([
    ['runAsUser', -1],
    ['runAsUser', 2147483648],
    ['runAsUser', 4294967295],
    ['runAsUser', '1000'],
    ['runAsUser', 1.5],
    ['runAsGroup', 4294967295],
    ['fsGroup', -1],
    ['supplementalGroups', [1, -1]],
    ['supplementalGroups', 5],
    ['supplementalGroups', Array.from({ length: 65 }, (_, i) => i + 1)],
    ['runAsNonRoot', 'true'],
    ['fsGroupChangePolicy', 'Never'],
    ['seLinuxChangePolicy', 'x'],
    ['supplementalGroupsPolicy', 'Merge'],
    ['seccompProfile', { type: 'Unconfined' }],
    ['seccompProfile', { type: 'Localhost', localhostProfile: 'x' }],
    ['appArmorProfile', { type: 'RuntimeDefault' }],
    ['sysctls', [{ name: 'kernel.shm_rmid_forced', value: '0' }]],
    ['windowsOptions', { runAsUserName: 'x' }],
    ['capabilities', { add: ['SYS_ADMIN'] }],
    ['privileged', true],
    ['__proto__x', 1],
    ['constructor', 1],
  ])('When %s is %j, Then it is refused by name', (field, value) => {
    const moverSecurityContext = { runAsUser: 1000, ...Object.fromEntries([[field, value]]) };
    const given = parseMoverContext(moverSecurityContext).refusals;

    expect(given).toEqual([expect.objectContaining({ path: `spec.moverSecurityContext.${field}` })]);
    expect(given[0]?.value.length).toBeLessThan(210);
  });

  test.each<[string, unknown]>([
    ['level', 'foo'],
    ['user', 'system_u:x'],
    ['role', 'object_r'],
    ['type', 'spc_t'],
    ['filetype', 'x'],
  ])('When seLinuxOptions.%s is %j, Then it is refused by name', (field, value) => {
    const moverSecurityContext = { runAsUser: 1000, seLinuxOptions: { [field]: value } };

    expect(parseMoverContext(moverSecurityContext).refusals).toMatchObject([
      { path: `spec.moverSecurityContext.seLinuxOptions.${field}` },
    ]);
  });

  test.each([5, 'x', [], true])('When the context is %j, Then it is refused', (moverSecurityContext) => {
    expect(parseMoverContext(moverSecurityContext).refusals).toMatchObject([
      { path: 'spec.moverSecurityContext' },
    ]);
  });

  test('When all fields that can be honoured are there, Then they are read', () => {
    const { context, refusals } = parseMoverContext({
      runAsUser: 1,
      runAsGroup: 2,
      runAsNonRoot: true,
      fsGroup: 3,
      fsGroupChangePolicy: 'OnRootMismatch',
      supplementalGroups: [4],
      supplementalGroupsPolicy: 'Strict',
      seLinuxChangePolicy: 'Recursive',
      seLinuxOptions: { level: 's0:c2,c1', user: 'system_u', role: 'system_r', type: 'container_t' },
      seccompProfile: { type: 'RuntimeDefault' },
    });

    expect(refusals).toEqual([]);
    expect(context).toEqual({
      runAsUser: 1,
      runAsGroup: 2,
      runAsNonRoot: true,
      fsGroup: 3,
      fsGroupChangePolicy: 'OnRootMismatch',
      supplementalGroups: [4],
      seLinuxChangePolicy: 'Recursive',
      seLinuxOptions: { level: 's0:c1,c2', user: 'system_u', role: 'system_r', type: 'container_t' },
    });
  });
});
