import { annotation } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { expect, test } from '@jest/globals';

import { type RotationOrder, rotationState } from './state.js';

function remote(annotations: Record<string, string>, status: object = {}): KubeObject {
  return {
    ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster' },
    ...{ metadata: { name: 'standby', namespace: 'dr-syncer-system', annotations }, status },
  };
}

const both: RotationOrder = { sshKey: 'true', hostKeys: 'true' };
const revoke: RotationOrder = { sshKey: 'revoke' };

test.each<[string, KubeObject, RotationOrder, object]>([
  [
    'nothing has begun',
    remote({ [annotation.rotateSshKey]: 'true', [annotation.rotateHostKeys]: 'true' }),
    both,
    { state: 'goes on', text: 'key: asked for; host keys: asked for' },
  ],
  [
    'one is done and one waits for nodes',
    remote(
      { [annotation.rotateHostKeys]: 'true' },
      { hostKeys: { rotation: { phase: 'Staged', waitingFor: ['n1', 'n2'] } } },
    ),
    both,
    { state: 'goes on', text: 'host keys: Staged, waiting for n1, n2' },
  ],
  [
    'it cannot go on',
    remote(
      { [annotation.rotateSshKey]: 'true' },
      { sshKey: { fingerprint: 'x', rotation: { phase: 'Staged', problem: 'the Secret is immutable' } } },
    ),
    both,
    { state: 'goes on', text: 'key: Staged, the Secret is immutable' },
  ],
  ['all is done', remote({}), both, { state: 'ended', unconfirmed: [] }],
  [
    'a node has not been seen to refuse the revoked key',
    remote({}, { sshKey: { fingerprint: 'x', revoked: { fingerprints: ['y'], notConfirmedBy: ['n2'] } } }),
    revoke,
    { state: 'ended', unconfirmed: ['n2'] },
  ],
  [
    'the annotation is gone and the status says nothing of the nodes yet',
    remote({}, { sshKey: { fingerprint: 'x', rotation: { phase: 'Revoking' } } }),
    revoke,
    { state: 'goes on', text: 'key: Revoking' },
  ],
  [
    'a revocation of another day is not ours',
    remote({}, { sshKey: { fingerprint: 'x', revoked: { fingerprints: ['y'], notConfirmedBy: ['n2'] } } }),
    both,
    { state: 'ended', unconfirmed: [] },
  ],
])('When %s Then that is its state', (_what, object, order, state) => {
  expect(rotationState(object, order)).toEqual(state);
});
