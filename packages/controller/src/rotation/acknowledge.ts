import { FIELD_MANAGER } from '@dr-syncer/api';
import { isInvalid, isNotFound, type KubeClient, type ObjectRef } from '@dr-syncer/kube';

/**
 * Takes an annotation away, if it still has the value that was served: another one, set meanwhile, stays.
 *
 * @returns the object's resourceVersion afterwards; undefined when there was nothing to take away
 * @throws KubeError
 */
export async function acknowledgeAnnotation(
  client: KubeClient,
  ref: ObjectRef,
  { name, value }: { readonly name: string; readonly value: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  const path = `/metadata/annotations/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const patch = [
    { op: 'test', path, value },
    { op: 'remove', path },
  ];
  try {
    const written = await client.patch(ref, patch, 'json', { signal, fieldManager: FIELD_MANAGER });
    return written.metadata.resourceVersion;
  } catch (err) {
    // The API server answers a test that fails, and a path that is not there, with 422.
    if (isInvalid(err) || isNotFound(err)) return undefined;
    throw err;
  }
}
