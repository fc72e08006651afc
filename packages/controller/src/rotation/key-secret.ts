import { DrError, FIELD_MANAGER } from '@dr-syncer/api';
import {
  isAlreadyExists,
  type KubeClient,
  type KubeObject,
  type OwnerReference,
  wellKnown,
} from '@dr-syncer/kube';

import type { KeySecret } from './client-keys.js';

export interface SecretRef {
  readonly namespace: string;
  readonly name: string;
}

const partOf = { 'app.kubernetes.io/part-of': 'dr-syncer' };

/**
 * The Secret, made with these entries (base64) when there is none; one that somebody else makes first is taken.
 *
 * @param owner in the same namespace: what is made goes when it is deleted. One that was there before belongs to whoever
 *   has made it, and stays
 */
export async function findOrCreate(
  client: KubeClient,
  at: SecretRef,
  entries: () => Promise<Record<string, string>>,
  signal: AbortSignal,
  owner?: KubeObject,
): Promise<KeySecret> {
  const ref = { resource: wellKnown.secrets, ...at };
  const found = await client.find<KeySecret>(ref, { signal });
  if (found !== undefined) return found;
  const metadata = { ...at, labels: partOf, ...(owner && { ownerReferences: [referenceTo(owner)] }) };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: await entries() };
  try {
    return await client.create<KeySecret>(wellKnown.secrets, secret, { signal, fieldManager: FIELD_MANAGER });
  } catch (err) {
    if (!isAlreadyExists(err)) throw err;
    return client.get<KeySecret>(ref, { signal });
  }
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '' };
}

/**
 * Changes entries of the very Secret that was read; null removes one.
 *
 * @throws KubeError conflict when it was changed since; DrError KeyInvalid when it cannot be changed
 */
export async function changeEntries(
  client: KubeClient,
  secret: KeySecret,
  data: Record<string, string | null>,
  signal: AbortSignal,
): Promise<KeySecret> {
  const { namespace, name, resourceVersion, uid } = secret.metadata;
  if (secret.immutable === true) {
    const where = `Secret ${namespace ?? ''}/${name}`;
    throw new DrError('KeyInvalid', `${where} is immutable, so its key cannot be replaced`);
  }
  const body = { metadata: { resourceVersion, uid }, data };
  const ref = { resource: wellKnown.secrets, namespace, name };
  return client.patch<KeySecret>(ref, body, 'merge', { signal, fieldManager: FIELD_MANAGER });
}
