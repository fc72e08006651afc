import { createHash } from 'node:crypto';

import { DrError } from '@dr-syncer/api';
import {
  type ClusterAccess,
  type KubeClient,
  type KubeObject,
  parseKubeconfig,
  wellKnown,
} from '@dr-syncer/kube';

export interface RemoteAccess {
  readonly access: ClusterAccess;
  /** Changes with the kubeconfig; says nothing about what is in it. */
  readonly fingerprint: string;
}

/**
 * Access to a remote cluster from the key "kubeconfig" of a Secret.
 *
 * @throws DrError KubeconfigSecretNotFound, KubeconfigRefused (naming the field, never its value); KubeError
 */
export async function readKubeconfigSecret(
  client: KubeClient,
  at: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<RemoteAccess> {
  const secret = await client.find<KubeObject & { data?: Record<string, string> }>(
    { resource: wellKnown.secrets, ...at },
    { signal },
  );
  const where = `Secret ${at.namespace}/${at.name}`;
  if (secret === undefined) throw new DrError('KubeconfigSecretNotFound', `${where} does not exist`);
  const data = secret.data?.['kubeconfig'];
  if (data === undefined) throw new DrError('KubeconfigSecretNotFound', `${where} has no key "kubeconfig"`);
  const text = Buffer.from(data, 'base64');
  return { access: parseKubeconfig(text), fingerprint: createHash('sha256').update(text).digest('hex') };
}
