import { describe, expect, test } from '@jest/globals';
import { describeRule } from '@dr-syncer/kube';

import { listed, neededPermissions, type WantedPermissions } from './permissions.js';

const base: WantedPermissions = { mode: 'Auto', deletionPolicy: 'Delete', namespaces: [], renewal: false };
const needs = (wanted: Partial<WantedPermissions>, vital?: boolean): string[] =>
  neededPermissions({ ...base, ...wanted })
    .filter((need) => vital === undefined || need.vital === vital)
    .map((need) => describeRule(need));

describe('Given what a RemoteCluster asks for', () => {
  test('Then what the agent needs is vital', () => {
    expect(needs({}, true)).toEqual(
      expect.arrayContaining([
        'create secrets in dr-syncer-system',
        'patch daemonsets.apps in dr-syncer-system',
        'list pods in dr-syncer-system',
      ]),
    );
  });

  test('When nodes are reached directly Then their addresses are vital and port-forward is not asked for', () => {
    expect(needs({ mode: 'Direct' }, true)).toContain('get nodes');
    expect(needs({ mode: 'Direct' }).join()).not.toContain('portforward');
  });

  test('When nodes are reached by port-forward Then that is vital and nodes are not asked for', () => {
    expect(needs({ mode: 'PortForward' }, true)).toContain('create pods/portforward in dr-syncer-system');
    expect(needs({ mode: 'PortForward' })).not.toContain('get nodes');
  });

  test('When either will do Then neither is vital', () => {
    expect(needs({}, false)).toEqual(
      expect.arrayContaining(['get nodes', 'get pods/portforward in dr-syncer-system']),
    );
  });

  test('When nothing is to be removed Then delete is not asked for in the system namespace', () => {
    expect(needs({}).join()).toContain('delete daemonsets');
    expect(needs({ deletionPolicy: 'Orphan' }).join()).not.toContain('delete');
  });

  test('When Replications write to namespaces Then samples of that are asked for, of twenty at most', () => {
    const namespaces = Array.from({ length: 30 }, (_, index) => `ns-${index}`);
    const asked = needs({ namespaces });

    expect(asked).toEqual(
      expect.arrayContaining([
        'create deployments.apps in ns-0',
        'get namespaces ns-0 in ns-0',
        'delete pods in ns-19',
      ]),
    );
    expect(asked.join()).not.toContain('ns-20');
  });

  test('When the token is renewed Then only for the account itself', () => {
    expect(needs({ renewal: true })).toContain(
      'create serviceaccounts/token dr-syncer-remote in dr-syncer-system',
    );
  });

  test('When many are missing Then the first are named and the others counted', () => {
    expect(listed(['get a', 'get b'])).toBe('get a, get b');
    expect(listed(Array.from({ length: 15 }, (_, index) => `get ${index}`))).toMatch(/get 11, and 3 more$/);
  });
});
