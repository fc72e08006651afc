import { agentNames, SOURCE_KEY_SECRET, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { parseReplication, remoteClusters, replications } from '@dr-syncer/controller';
import { isNotFound, type KubeClient, type KubeObject, type Resource } from '@dr-syncer/kube';

/** What is there of ours. */
export interface Installed {
  readonly replications: readonly KubeObject[];
  readonly remoteClusters: readonly KubeObject[];
}

/** @throws KubeError */
export async function installed(client: KubeClient, signal: AbortSignal): Promise<Installed> {
  const list = async (resource: Resource): Promise<KubeObject[]> => {
    try {
      return (await client.list(resource, { signal })).items;
    } catch (err) {
      if (isNotFound(err)) return [];
      throw err;
    }
  };
  return { replications: await list(replications), remoteClusters: await list(remoteClusters) };
}

/** What a Replication's spec has to say before it is deleted, so that its standby stays, or goes. */
export function lastWords(removeStandbys: boolean): Record<string, unknown> {
  return removeStandbys ? { deletionPolicy: 'Prune', prune: { claims: true } } : { deletionPolicy: 'Orphan' };
}

/** For the question. Pure. */
export function intention(
  { replications: all, remoteClusters: remotes }: Installed,
  removeStandbys: boolean,
): string[] {
  const standbys = all.map((object) => {
    const parsed = parseReplication(object);
    const namespace = object.metadata.namespace ?? '';
    if (!parsed.ok) return `${namespace}/${object.metadata.name}`;
    const { spec } = parsed.value;
    const destination = spec.destinationNamespace ?? spec.sourceNamespace ?? namespace;
    return `${namespace}/${object.metadata.name} (namespace ${destination} in ${spec.destinationCluster})`;
  });
  return [
    `${all.length} Replications and ${remotes.length} RemoteClusters are deleted, with the agents and their keys.`,
    ...(all.length === 0
      ? []
      : removeStandbys
        ? ['REMOVED with all their objects and DATA:', ...standbys.map((one) => `  ${one}`)]
        : ['These standbys stay as they are, with their data:', ...standbys.map((one) => `  ${one}`)]),
  ];
}

/** Made by the controller in the namespace of its own; they stand in no manifest. */
export function ownObjects(): KubeObject[] {
  const own = (apiVersion: string, kind: string, name: string): KubeObject => ({
    ...{ apiVersion, kind },
    metadata: { name, namespace: SYSTEM_NAMESPACE },
  });
  return [
    own('apps/v1', 'DaemonSet', agentNames.daemonSet),
    own('v1', 'ServiceAccount', agentNames.serviceAccount),
    own('v1', 'Secret', agentNames.hostKeysSecret),
    own('v1', 'Secret', agentNames.authorizedKeysSecret),
    own('v1', 'Secret', SOURCE_KEY_SECRET),
    own('coordination.k8s.io/v1', 'Lease', 'dr-syncer-controller'),
  ];
}
