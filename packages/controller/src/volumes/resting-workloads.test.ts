import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { templateView } from './resting-workloads.js';

const container = { name: 'app', volumeMounts: [{ name: 'v' }], securityContext: { runAsUser: 7 } };
const pod = (claim?: string) => ({
  securityContext: { fsGroup: 5 },
  containers: [container, { name: 'side' }],
  ...(claim && { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: claim } }] }),
});
const object = (apiVersion: string, kind: string, spec: object): KubeObject => ({
  ...{ apiVersion, kind, spec, metadata: { name: 'web' } },
});
const set = object('apps/v1', 'StatefulSet', {
  template: { spec: pod() },
  volumeClaimTemplates: [{ metadata: { name: 'v' } }],
});

describe('Given workloads without a pod', () => {
  test.each<[string, KubeObject, string, boolean]>([
    ['a Deployment', object('apps/v1', 'Deployment', { template: { spec: pod('data') } }), 'data', true],
    [
      'a CronJob',
      object('batch/v1', 'CronJob', { jobTemplate: { spec: { template: { spec: pod('data') } } } }),
      'data',
      true,
    ],
    ['a StatefulSet', set, 'v-web-0', true],
    ['a StatefulSet', set, 'v-web-12', true],
    ['a StatefulSet, for a claim of another', set, 'v-web-db-0', false],
    [
      'a Deployment, for another claim',
      object('apps/v1', 'Deployment', { template: { spec: pod('x') } }),
      'data',
      false,
    ],
    [
      'one that is not written as it should be',
      object('apps/v1', 'Deployment', { template: 5 }),
      'data',
      false,
    ],
  ])('When the claim is that of %s Then its template says who it is for', (_name, workload, claim, found) => {
    const expected = {
      name: `${workload.kind} web`,
      securityContext: { fsGroup: 5 },
      containers: [{ name: 'app', securityContext: { runAsUser: 7 } }],
    };
    expect(templateView(workload, claim)).toEqual(found ? [expected] : []);
  });
});
