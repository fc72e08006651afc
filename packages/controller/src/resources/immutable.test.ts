import { replicationSpec } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { immutableActionFor, decideImmutable, immutableError } from './immutable.js';
import { servedType } from './testing/types.js';

const ours = {
  labels: { 'dr-syncer.io/replication': 'u' },
  annotations: { 'dr-syncer.io/desired-hash': 'h' },
};
const object = (kind: string, metadata: object = {}, spec: object = {}): KubeObject => ({
  ...{ apiVersion: 'v1', kind, spec },
  metadata: { name: 'x', ...ours, ...metadata },
});

describe('Given a policy', () => {
  const { immutableResources: policy } = replicationSpec.parse({
    destinationCluster: 'x',
    immutableResources: {
      default: 'NoChange',
      kinds: [
        { kind: 'jobs', action: 'Recreate' },
        { kind: 'Secret', action: 'Fail' },
      ],
    },
  });
  test.each([
    ['batch/v1', 'Job', 'Recreate'],
    ['v1', 'Secret', 'Fail'],
    ['v1', 'ConfigMap', 'NoChange'],
  ])('%s %s has its action: %s', (apiVersion, kind, expected) => {
    expect(immutableActionFor(policy, servedType(apiVersion, kind))).toBe(expected);
  });

  test('without one, such an object fails', () => {
    const { immutableResources } = replicationSpec.parse({ destinationCluster: 'x' });
    expect(immutableActionFor(immutableResources, servedType('v1', 'Secret'))).toBe('Fail');
  });
});

describe('Given an object that can only be made anew', () => {
  test.each<[string, KubeObject, string[]]>([
    ['a Job', object('Job'), []],
    ['a Secret of ours', object('Secret'), []],
    ['a ConfigMap that others have touched', object('ConfigMap'), ['kubectl-edit']],
    [
      'a StatefulSet that keeps its claims',
      object('StatefulSet', {}, { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain' } }),
      [],
    ],
  ])('%s is made anew, where that is the policy', (_title, present, others) => {
    expect(decideImmutable('Recreate', present, others).action).toBe('Recreate');
    expect(decideImmutable('NoChange', present, others).action).toBe('NoChange');
    expect(decideImmutable('Fail', present, others).action).toBe('Fail');
  });

  test.each<[string, KubeObject, string[], RegExp]>([
    ['a claim', object('PersistentVolumeClaim'), [], /data of the claim/],
    ['what we have not made', object('Secret', { labels: {} }), [], /not made by DR-Syncer/],
    ['what has our label alone', object('Job', { annotations: {} }), [], /not made by DR-Syncer/],
    ['what somebody owns', object('Secret', { ownerReferences: [{ kind: 'Vault' }] }), [], /Vault owns it/],
    ['a Secret with fields of others', object('Secret'), ['cert-manager'], /cert-manager has written to it/],
    ['what is being deleted', object('Job', { deletionTimestamp: 'now' }), [], /being deleted/],
    [
      'a StatefulSet that takes its claims along',
      object('StatefulSet', {}, { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' } }),
      [],
      /claims would be deleted/,
    ],
  ])('%s is never deleted for it', (_title, present, others, why) => {
    const decision = decideImmutable('Recreate', present, others);
    expect(decision).toEqual({ action: 'Fail', why: expect.stringMatching(why) });
    expect(immutableError(decision, 'x', 'field is immutable')).toMatchObject({
      code: 'ImmutableField',
      message: expect.stringContaining('field is immutable'),
    });
  });
});
