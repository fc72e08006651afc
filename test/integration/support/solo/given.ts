import { annotation, type ReplicationStatus } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';

import { eventually } from '../../../support/eventually.js';
import { remoteClusters, type Solo } from './solo.js';

export const SYSTEM = 'dr-syncer-system';
/** The class of the volumes that a solo provides. */
export const CLASS = 'solo';

export const object = (kind: string, metadata: KubeObject['metadata'], apiVersion = 'v1'): KubeObject => ({
  ...{ apiVersion, kind, metadata },
});

export function kubeconfigData(text: string): { data: { kubeconfig: string } } {
  return { data: { kubeconfig: Buffer.from(text).toString('base64') } };
}

export async function givenStorageClass({ client }: Solo): Promise<void> {
  await client.create(
    {
      ...{ group: 'storage.k8s.io', version: 'v1', namespaced: false },
      ...{ plural: 'storageclasses', kind: 'StorageClass' },
    },
    { ...object('StorageClass', { name: CLASS }, 'storage.k8s.io/v1'), provisioner: 'solo' },
  );
}

/** A RemoteCluster with the kubeconfig beside it in a Secret of the same name. */
export async function givenRemoteCluster(
  { client, api, agentPort }: Solo,
  name: string,
  { kubeconfig = api.kubeconfig, ...spec }: { kubeconfig?: string; connectivity?: object } = {},
): Promise<void> {
  const metadata = { name, namespace: SYSTEM };
  await client.create(wellKnown.secrets, { ...object('Secret', metadata), ...kubeconfigData(kubeconfig) });
  await client.create(remoteClusters, {
    ...object('RemoteCluster', metadata, 'dr-syncer.io/v1alpha1'),
    spec: { kubeconfigSecret: name, agentDeployment: { port: agentPort }, ...spec },
  });
}

export async function givenClaim({ client }: Solo, namespace: string, name = 'data'): Promise<KubeObject> {
  return client.create(wellKnown.persistentVolumeClaims, {
    ...object('PersistentVolumeClaim', { name, namespace }),
    spec: {
      ...{ accessModes: ['ReadWriteOnce'], storageClassName: CLASS },
      resources: { requests: { storage: '1Gi' } },
    },
  });
}

const privileged = { [annotation.privilegedMovers]: 'true' };

/** One that allows privileged movers. */
export async function givenNamespace(
  { client }: Solo,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  await client.create(wellKnown.namespaces, object('Namespace', { name, labels, annotations: privileged }));
}

/** Two namespaces that allow privileged movers, a claim `data` in the first, and the Replication `name` of it. */
export async function givenVolumePair(
  solo: Solo,
  name: string,
  remote: string,
  [source, copy]: readonly [string, string],
  spec: object = {},
): Promise<void> {
  for (const namespace of [source, copy]) await givenNamespace(solo, namespace);
  await givenClaim(solo, source);
  await solo.client.create(replications, {
    ...object('Replication', { name, namespace: SYSTEM }, 'dr-syncer.io/v1alpha1'),
    spec: {
      ...{ destinationCluster: remote, sourceNamespace: source, destinationNamespace: copy },
      resourceTypes: ['persistentvolumeclaims'],
      ...spec,
    },
  });
}

/** A pod that has the claim `data` mounted. */
export const podOfClaim = (name: string, namespace: string): KubeObject => ({
  ...object('Pod', { name, namespace }),
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'x', image: 'x' }],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
  },
});

/** Asks for a sync of the Replication. */
export async function requestSync({ client }: Solo, name: string, id: string): Promise<void> {
  const body = { metadata: { annotations: { [annotation.syncNow]: id } } };
  await client.patch({ resource: replications, namespace: SYSTEM, name }, body, 'merge');
}

/** Its end. */
export function syncAnswer({ client }: Solo, name: string, id: string): Promise<ReplicationStatus> {
  const ref = { resource: replications, namespace: SYSTEM, name };
  return eventually(
    `sync ${id}`,
    async () => {
      const { status } = await client.get<KubeObject & { status?: ReplicationStatus }>(ref);
      return status?.lastSyncRequest === id && status.phase !== 'Running' ? status : undefined;
    },
    120_000,
  );
}

export async function syncOnce(solo: Solo, name: string, id: string): Promise<ReplicationStatus> {
  await requestSync(solo, name, id);
  return syncAnswer(solo, name, id);
}
