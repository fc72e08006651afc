import type { Identity } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { placeholderPod } from './placeholder.js';

const tenant: Identity = {
  ...{ uid: 1000690000, gid: 1000690000, groups: [1000690000], capabilities: [], umask: '0000' },
  ...{ privileged: false, fsGroup: 1000690000 },
};
const root: Identity = {
  ...{ uid: 0, gid: 0, groups: [0], capabilities: ['CHOWN'], umask: '0077', privileged: true },
};
const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', uid: 'u-1' } };
const annotated = { 'openshift.io/sa.scc.uid-range': '1000690000/10000' };

function securityContext(identity: Identity, annotations: Record<string, string> = {}): unknown {
  const options = {
    ...{ namespace: 'shop', claim, image: 'pause', identity, annotations, readOnly: false },
    ...{ owner: 'source', agentsOwner: 'agents', tolerateAll: false },
  };
  return (placeholderPod(options)['spec'] as { securityContext: unknown }).securityContext;
}

const always = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };

describe('Given the identity of a transfer, Then the pod that holds its volume', () => {
  test.each<[string, Identity, Record<string, string>, object]>([
    [
      'runs as it and has its group given to the files',
      tenant,
      annotated,
      {
        ...{ runAsUser: 1000690000, runAsGroup: 1000690000, fsGroup: 1000690000 },
        fsGroupChangePolicy: 'OnRootMismatch',
      },
    ],
    [
      'has the policies and the level of the label',
      {
        ...tenant,
        ...{ fsGroupChangePolicy: 'Always', seLinuxChangePolicy: 'MountOption' },
        seLinuxLabel: 'system_u:object_r:container_file_t:s0:c20,c26',
      },
      annotated,
      {
        ...{ runAsUser: 1000690000, runAsGroup: 1000690000, fsGroup: 1000690000 },
        ...{ fsGroupChangePolicy: 'Always', seLinuxChangePolicy: 'MountOption' },
        seLinuxOptions: { level: 's0:c20,c26' },
      },
    ],
    [
      'is nobody and changes no owner when it is privileged',
      { ...root, fsGroup: 5 },
      {},
      { runAsUser: 65534, runAsGroup: 65534, fsGroupChangePolicy: 'OnRootMismatch' },
    ],
    [
      'is of the range of the namespace when it is privileged there',
      { ...root, uid: 26 },
      annotated,
      { runAsUser: 1000690000, runAsGroup: 1000690000, fsGroupChangePolicy: 'OnRootMismatch' },
    ],
  ])('%s', (_, identity, annotations, expected) => {
    expect(securityContext(identity, annotations)).toEqual({ ...always, ...expected });
  });
});
