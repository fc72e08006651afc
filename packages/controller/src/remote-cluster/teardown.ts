import { agentNames, FIELD_MANAGER, label, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import {
  isForbidden,
  isNotFound,
  type KubeClient,
  type KubeObject,
  refOf,
  type Resource,
  wellKnown,
} from '@dr-syncer/kube';

import { removeAuthorizedKeys } from '../clusters/authorized-keys-secret.js';

export interface Teardown {
  readonly client: KubeClient;
  /** Of our line in authorized_keys. */
  readonly owner: string;
  /** `label.owner` of our placeholder pods. */
  readonly ownerLabel: string;
  /** Namespaces to look for them in when the account may not list pods everywhere. */
  readonly namespaces: readonly string[];
}

export interface Removed {
  readonly placeholders: number;
  /** False: another RemoteCluster or controller uses the agents too, and they stay. */
  readonly agents: boolean;
}

/**
 * Removes from a remote what was made for one RemoteCluster: its placeholder pods, its key, and the agents with their
 * keys once nobody else has a key there. Namespaces and what is replicated stay. Idempotent.
 *
 * @throws KubeError
 */
export async function removeFromRemote(teardown: Teardown, signal: AbortSignal): Promise<Removed> {
  const { client, owner } = teardown;
  const pods = await placeholderPods(teardown, signal);
  for (const pod of pods) await remove(client, wellKnown.pods, pod, signal);
  const at = { namespace: SYSTEM_NAMESPACE, name: agentNames.authorizedKeysSecret };
  const left = await removeAuthorizedKeys(client, at, owner, signal);
  if (left === 'others') return { placeholders: pods.length, agents: false };
  const own = [
    [wellKnown.daemonSets, agentNames.daemonSet],
    [wellKnown.serviceAccounts, agentNames.serviceAccount],
    [wellKnown.secrets, agentNames.hostKeysSecret],
  ] as const;
  for (const [resource, name] of own) {
    const ref = { resource, namespace: SYSTEM_NAMESPACE, name };
    const object = await client.find(ref, { signal });
    if (object !== undefined) await remove(client, resource, object, signal);
  }
  return { placeholders: pods.length, agents: true };
}

async function placeholderPods(
  { client, ownerLabel, namespaces }: Teardown,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const labelSelector = `${label.managedBy}=${FIELD_MANAGER},${label.placeholder},${label.owner}=${ownerLabel}`;
  try {
    return (await client.list(wellKnown.pods, { labelSelector, signal })).items;
  } catch (err) {
    if (!isForbidden(err)) throw err;
  }
  const lists = [];
  for (const namespace of namespaces) {
    lists.push((await client.list(wellKnown.pods, { namespace, labelSelector, signal })).items);
  }
  return lists.flat();
}

/** The very object that was looked at: one of the same name that was made meanwhile is not ours to remove. */
async function remove(
  client: KubeClient,
  resource: Resource,
  object: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const preconditions = { uid: object.metadata.uid };
  try {
    await client.delete(refOf(resource, object), { preconditions, propagationPolicy: 'Background', signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
}
