import { type KubeClient, KubeError, type KubeObject, type ObjectRef } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { releaseVolumes } from './failover.js';

const { signal } = new AbortController();
const pod = (name: string, uid: string): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: { name, namespace: 'shop', uid },
});

/** Pods by name; as kube-apiserver refuses a delete whose uid is that of another. */
function clusterWith(...pods: KubeObject[]) {
  const there = new Map(pods.map((one) => [one.metadata.name, one]));
  const client = {
    find: ({ name }: ObjectRef) => Promise.resolve(there.get(name)),
    delete: ({ name }: ObjectRef, { preconditions }: { preconditions?: { uid?: string } }) => {
      const found = there.get(name);
      const wanted = preconditions?.uid;
      const refuse = (status: number, reason: string): Promise<never> =>
        Promise.reject(new KubeError(reason, { status, reason }));
      if (found === undefined) return refuse(404, 'NotFound');
      // Of a delete that says which one is meant.
      if (wanted !== undefined && wanted !== found.metadata.uid) return refuse(409, 'Conflict');
      there.delete(name);
      return Promise.resolve();
    },
  } as unknown as KubeClient;
  return { client, there };
}

describe('Given placeholder pods that were seen', () => {
  test('When one is gone and one has a successor of its name Then the rest are removed, and the successor stays', async () => {
    const { client, there } = clusterWith(pod('hold', 'a'), pod('made-again', 'new'));
    const said: string[] = [];

    const seen = [pod('hold', 'a'), pod('gone', 'b'), pod('made-again', 'old')];
    await releaseVolumes(client, seen, (line) => said.push(line), signal);

    expect([...there.values()].map(({ metadata }) => metadata.uid)).toEqual(['new']);
    expect(said).toEqual(['released 3 volumes']);
  });
});
