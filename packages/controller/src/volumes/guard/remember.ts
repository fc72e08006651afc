import { annotation } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import { type CopyRecord, copyRecordText } from './copy-record.js';

/**
 * Writes down what is known of a copy, when it is not what stands there already.
 *
 * @param claim the destination's, as it was read
 * @throws KubeError
 */
export async function rememberCopy(
  client: KubeClient,
  claim: KubeObject,
  record: CopyRecord,
  signal: AbortSignal,
): Promise<void> {
  const text = copyRecordText(record);
  const { name, namespace = '', annotations } = claim.metadata;
  if (annotations?.[annotation.volumeCopy] === text) return;
  const ref = { resource: wellKnown.persistentVolumeClaims, namespace, name };
  await client.patch(ref, { metadata: { annotations: { [annotation.volumeCopy]: text } } }, 'merge', {
    signal,
  });
}
