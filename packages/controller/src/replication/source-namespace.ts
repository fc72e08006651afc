import { DrError } from '@dr-syncer/api';
import { isNotFound, type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

/** The namespace that is copied. @throws DrError SourceNamespaceNotFound; KubeError */
export async function findSourceNamespace(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<KubeObject> {
  try {
    return await client.get({ resource: wellKnown.namespaces, name }, { signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
    throw new DrError('SourceNamespaceNotFound', `namespace ${name} does not exist`);
  }
}
