import { describe, expect, test } from '@jest/globals';

import type { AuditedCall } from './audit-log.js';
import { describePermission, type Permission, permits, permissionsOf, unused } from './rules.js';

const call = (verb: string, resource: string, more: Partial<AuditedCall> = {}): AuditedCall => ({
  ...{ user: 'u', verb, group: '', resource, namespace: 'shop', name: undefined, code: 200 },
  ...more,
});
const permission = (verb: string, resource: string, more: Partial<Permission> = {}): Permission => ({
  ...{ role: 'ClusterRole r', namespace: undefined, group: '', resource, verb, names: undefined },
  ...more,
});

describe('Given roles', () => {
  test.each<[string, Permission, AuditedCall, boolean]>([
    ['the same', permission('get', 'pods'), call('get', 'pods'), true],
    ['another verb', permission('get', 'pods'), call('list', 'pods'), false],
    ['another group', permission('get', 'pods', { group: 'apps' }), call('get', 'pods'), false],
    ['a subresource', permission('get', 'pods'), call('get', 'pods/log'), false],
    ['a subresource, by the star', permission('get', '*'), call('get', 'pods/exec'), true],
    ['a Role elsewhere', permission('get', 'pods', { namespace: 'bank' }), call('get', 'pods'), false],
    ['a Role there', permission('get', 'pods', { namespace: 'shop' }), call('get', 'pods'), true],
    ['another name', permission('get', 'pods', { names: ['a'] }), call('get', 'pods', { name: 'b' }), false],
    ['that name', permission('get', 'pods', { names: ['a'] }), call('get', 'pods', { name: 'a' }), true],
  ])('When a call is for %s Then it is decided as by the API server', (_name, one, made, expected) => {
    expect(permits(one, made)).toBe(expected);
  });

  test('When a wide and a narrow one permit a call Then the wide one was not needed', () => {
    const wide = permission('get', '*', { group: '*' });
    const narrow = permission('get', 'pods');

    expect(unused([wide, narrow], [call('get', 'pods')])).toEqual([wide]);
    expect(unused([wide, narrow], [])).toEqual([wide, narrow]);
  });

  test('Then each verb on each resource is one', () => {
    const rules = [{ apiGroups: ['', 'apps'], resources: ['a', 'b'], verbs: ['get', 'list'] }];
    const role = { apiVersion: 'v1', kind: 'Role', metadata: { name: 'r', namespace: 'n' }, rules };

    expect(permissionsOf([role])).toHaveLength(8);
    expect(describePermission(permissionsOf([role])[7]!)).toBe('Role r: list b of apps');
  });
});
