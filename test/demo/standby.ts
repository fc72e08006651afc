import type { KubeObject } from './kubectl.js';
import { SHOP } from './shop.js';

/** Names and objects of dr-syncer as its users write them. */
export const SYSTEM_NAMESPACE = 'dr-syncer-system';
export const API_VERSION = 'dr-syncer.io/v1alpha1';
export const REMOTE_CLUSTER = 'standby';
export const REPLICATION = 'shop';
export const KUBECONFIG_SECRET = 'standby-kubeconfig';
export const SYNC_NOW = 'dr-syncer.io/sync-now';
export const PRIVILEGED_MOVERS = 'dr-syncer.io/privileged-movers';

export function kubeconfigSecret(kubeconfig: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: KUBECONFIG_SECRET, namespace: SYSTEM_NAMESPACE },
    data: { kubeconfig: Buffer.from(kubeconfig).toString('base64') },
  };
}

export function remoteCluster(): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: 'RemoteCluster',
    metadata: { name: REMOTE_CLUSTER, namespace: SYSTEM_NAMESPACE },
    spec: { kubeconfigSecret: KUBECONFIG_SECRET },
  };
}

export function replication(storageClassMapping: Readonly<Record<string, string>>): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: 'Replication',
    metadata: { name: REPLICATION, namespace: SYSTEM_NAMESPACE },
    spec: {
      destinationCluster: REMOTE_CLUSTER,
      sourceNamespace: SHOP,
      sync: { mode: 'Manual' },
      pvcConfig: { includeData: true, storageClassMapping },
    },
  };
}

/** Path of the API server for all objects of one of dr-syncer's kinds in its namespace. */
export function collectionPath(plural: 'remoteclusters' | 'replications'): string {
  return `/apis/${API_VERSION}/namespaces/${SYSTEM_NAMESPACE}/${plural}`;
}
