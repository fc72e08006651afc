import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { ownerOfKeySecret } from './key-sharing.js';

const remote = (name: string, day: number, sshKeySecret?: string, namespace = 'ns'): KubeObject => ({
  ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster' },
  metadata: { name, namespace, uid: `${namespace}/${name}`, creationTimestamp: `2026-01-0${day}T00:00:00Z` },
  spec: { ...(sshKeySecret !== undefined && { sshKeySecret }) },
});

describe('Given RemoteClusters and the Secrets of their keys', () => {
  const first = remote('first', 1);
  const second = remote('second', 2, 'first-ssh-key');
  const twin = remote('a-twin', 1, 'first-ssh-key');
  const elsewhere = remote('elsewhere', 1, 'first-ssh-key', 'other');
  const all = [elsewhere, second, twin, first];

  test.each([
    ['the only one of its namespace', elsewhere, undefined],
    ['younger', second, 'RemoteCluster a-twin'],
    ['as old as another that comes first by name', first, 'RemoteCluster a-twin'],
    ['the first', twin, undefined],
    [
      'in the system namespace and names the source key',
      remote('thief', 1, 'dr-syncer-source-ssh-key', 'dr-syncer-system'),
      'the agents of the source',
    ],
    ['alone with that name elsewhere', remote('x', 1, 'dr-syncer-source-ssh-key'), undefined],
  ])('When one is %s Then it is said whose the Secret is', (_when, one, expected) => {
    expect(ownerOfKeySecret(one, all)).toBe(expected);
  });
});
