import { isForbidden, isNotFound, type KubeClient, type Resource } from '@dr-syncer/kube';

/**
 * Whether objects of a type can be listed: the server may not know the type, or not let this person see it.
 *
 * @param namespace undefined: in all namespaces
 * @throws KubeError
 */
export async function visible(
  client: KubeClient,
  resource: Resource,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<'yes' | 'not served' | 'forbidden'> {
  try {
    await client.pages(resource, { namespace, limit: 1, signal }).next();
    return 'yes';
  } catch (err) {
    if (isNotFound(err)) return 'not served';
    if (isForbidden(err)) return 'forbidden';
    throw err;
  }
}
