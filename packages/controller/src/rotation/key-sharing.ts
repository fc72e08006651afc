import { SOURCE_KEY_SECRET, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

interface Named {
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
  readonly spec?: { readonly sshKeySecret?: string | undefined };
}

/** The Secret with the controller's key for a RemoteCluster. */
export function keySecretName(remote: Named | KubeObject): string {
  const { metadata, spec } = remote as Named;
  return spec?.sshKeySecret ?? `${metadata.name}-ssh-key`;
}

/**
 * Who has the Secret of a RemoteCluster's key already, for a message: a key opens the agents of one remote and of no
 * other, so the first RemoteCluster that names a Secret has it alone.
 *
 * @param all RemoteClusters there are, this one among them
 */
export function ownerOfKeySecret(remote: KubeObject, all: readonly KubeObject[]): string | undefined {
  const secret = keySecretName(remote);
  const { namespace } = remote.metadata;
  if (namespace === SYSTEM_NAMESPACE && secret === SOURCE_KEY_SECRET) return 'the agents of the source';
  const rivals = all.filter((one) => one.metadata.namespace === namespace && keySecretName(one) === secret);
  const [first] = rivals.sort(byAge);
  if (first === undefined || first.metadata.uid === remote.metadata.uid) return undefined;
  return `RemoteCluster ${first.metadata.name}`;
}

function byAge(a: KubeObject, b: KubeObject): number {
  const [made, other] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return made.localeCompare(other) || a.metadata.name.localeCompare(b.metadata.name);
}
