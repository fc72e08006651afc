import { annotation } from '@dr-syncer/api';
import { type KubeObject, kubeToDrError, refOf } from '@dr-syncer/kube';

import type { Cluster } from '../clusters/cluster.js';
import { replications } from '../custom-resources.js';

/** What is asked for; an empty value asks for nothing. */
export function requestOf(object: KubeObject): string | undefined {
  const value = object.metadata.annotations?.[annotation.syncNow];
  return value === '' ? undefined : value;
}

/** Takes the request that was answered off the Replication, unless another one has come in the meantime. */
export async function clearRequest(
  source: Cluster,
  object: KubeObject,
  request: string,
  key: string = annotation.syncNow,
): Promise<void> {
  const pointer = `/metadata/annotations/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const patch = [
    { op: 'test', path: pointer, value: request },
    { op: 'remove', path: pointer },
  ];
  await source.client.patch(refOf(replications, object), patch, 'json').catch((err: unknown) => {
    const { code } = kubeToDrError(err);
    // 422: the test failed. 404: the Replication is gone.
    if (code === 'RemoteUnreachable' || code === 'RemoteUnauthorized') throw err;
  });
}
