import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { annotation, label, type RemoteCluster, type Replication, SOURCE_KEY_SECRET } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { type KubeObject, type ObjectRef, type Resource, wellKnown } from '@dr-syncer/kube';

import { customResourceDefinitions } from '../../kinds/definitions.js';
import { eventually } from '../../../support/eventually.js';
import { givenClaim, givenRemoteCluster, givenStorageClass, object, SYSTEM } from './given.js';
import { accountKubeconfig, remoteClusters, type Solo } from './solo.js';
import { volumeDir } from './volumes.js';

const RBAC = 'rbac.authorization.k8s.io';
const replication = { resource: replications, namespace: SYSTEM, name: 'shop' };
const cluster = { resource: remoteClusters, namespace: SYSTEM, name: 'standby' };

const typeOf = (group: string, kind: string, plural: string, namespaced = true): Resource => ({
  ...{ group, version: 'v1', plural, kind, namespaced },
});
/** What a controller goes through, by the steps of it: each waits until it is done. */
export class Life {
  readonly #solo: Solo;
  readonly from: string;
  readonly to: string;

  constructor(solo: Solo, from: string, to: string) {
    this.#solo = solo;
    this.from = from;
    this.to = to;
  }

  /** The remote cluster, by the ServiceAccount dr-syncer-remote. */
  async connect(): Promise<void> {
    const kubeconfig = await accountKubeconfig(this.#solo, 'dr-syncer-remote');
    await givenStorageClass(this.#solo);
    await givenRemoteCluster(this.#solo, 'standby', { kubeconfig });
  }

  /** A bit of everything that a namespace can make the controller do. */
  async application(): Promise<void> {
    const { client } = this.#solo;
    const namespace = this.from;
    for (const name of ['kept', 'gone']) {
      await client.create(wellKnown.configMaps, object('ConfigMap', { name, namespace }));
    }
    await givenClaim(this.#solo, namespace);
    // More than the account at the destination may do itself: "escalate" and "bind" are asked for.
    await client.create(typeOf(RBAC, 'Role', 'roles'), {
      ...object('Role', { name: 'bank', namespace }, `${RBAC}/v1`),
      rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
    });
    await client.create(typeOf(RBAC, 'RoleBinding', 'rolebindings'), {
      ...object('RoleBinding', { name: 'own', namespace }, `${RBAC}/v1`),
      roleRef: { apiGroup: RBAC, kind: 'Role', name: 'bank' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
    });
  }

  /** What takes permissions in the whole remote: a custom resource with its definition, a binding of a ClusterRole. */
  async clusterWide(): Promise<void> {
    const { client } = this.#solo;
    const namespace = this.from;
    await client.create(typeOf(RBAC, 'RoleBinding', 'rolebindings'), {
      ...object('RoleBinding', { name: 'admins', namespace }, `${RBAC}/v1`),
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
    });
    const crd = customResourceDefinitions().find(({ metadata }) => metadata.name === 'widgets.shop.test');
    if (crd === undefined) throw new Error('no definition of widgets');
    await client.create(wellKnown.customResourceDefinitions, crd);
    const widget = {
      ...object('Widget', { name: 'w', namespace }, 'shop.test/v1'),
      spec: { pods: { size: 3 } },
    };
    await eventually('widgets to be served', () =>
      client.create(typeOf('shop.test', 'Widget', 'widgets'), widget).then(
        () => true,
        () => undefined,
      ),
    );
  }

  async replicate(spec: Record<string, unknown>): Promise<void> {
    await this.#solo.client.create(replications, {
      ...object('Replication', { name: 'shop', namespace: SYSTEM }, 'dr-syncer.io/v1alpha1'),
      spec: {
        ...{ destinationCluster: 'standby', sourceNamespace: this.from, destinationNamespace: this.to },
        ...spec,
      },
    });
  }

  async sync(id: string): Promise<NonNullable<Replication['status']>> {
    const { client } = this.#solo;
    await annotate(this.#solo, replication, annotation.syncNow, id);
    return eventually(
      `sync ${id}`,
      async () => {
        const { status } = await client.get<KubeObject & Pick<Replication, 'status'>>(replication);
        return status?.lastSyncRequest === id && status.phase !== 'Running' ? status : undefined;
      },
      120_000,
    );
  }

  /** A sync with a pod that is brought to rest for it, where the right to that was lent. */
  async atRest(): Promise<void> {
    const { client } = this.#solo;
    const namespace = this.from;
    await client.create(typeOf(RBAC, 'RoleBinding', 'rolebindings'), {
      ...object('RoleBinding', { name: 'dr-syncer-hooks', namespace }, `${RBAC}/v1`),
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'dr-syncer-hooks' },
      subjects: [{ kind: 'ServiceAccount', name: 'dr-syncer-controller', namespace: SYSTEM }],
    });
    const annotations = { [annotation.preSyncCommand]: '["/bin/true"]' };
    await client.create(wellKnown.pods, {
      ...object('Pod', { name: 'app', namespace, annotations }),
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'app', image: 'x' }],
        volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
      },
    });
    const pod = { resource: wellKnown.pods, namespace, name: 'app' };
    await eventually('the pod to run', async () => {
      const { status } = await client.get<KubeObject & { status?: { phase?: string } }>(pod);
      return status?.phase === 'Running' ? true : undefined;
    });
    const { hooks } = await this.sync('at-rest');
    const [pre] = hooks?.results ?? [];
    if (pre?.result !== 'Succeeded') throw new Error(`no hook has succeeded: ${JSON.stringify(hooks)}`);
    await client.delete(pod);
    await eventually('the pod to go', async () =>
      (await client.find(pod)) === undefined ? true : undefined,
    );
  }

  /** One file more, one object less. */
  async change(): Promise<void> {
    const { client, node } = this.#solo;
    const ref = { resource: wellKnown.persistentVolumeClaims, namespace: this.from, name: 'data' };
    await writeFile(join(volumeDir(node, await client.get(ref)), 'file'), randomBytes(4096));
    await client.delete({ resource: wellKnown.configMaps, namespace: this.from, name: 'gone' });
  }

  /** Until the copy of the object that went is gone, too. */
  async pruned(): Promise<void> {
    const gone = { resource: wellKnown.configMaps, namespace: this.to, name: 'gone' };
    await eventually(
      'the copy to be pruned',
      async () => {
        if ((await this.#solo.client.find(gone)) === undefined) return true;
        await this.sync(`prune-${Date.now()}`);
        return undefined;
      },
      60_000,
    );
  }

  /** Data from the standby, while that is active. */
  async takenBack(): Promise<void> {
    const { client } = this.#solo;
    const standby = { resource: wellKnown.namespaces, name: this.to };
    await annotate(this.#solo, standby, annotation.active, 'true');
    await annotate(this.#solo, replication, annotation.reverseSync, 'back');
    const { phase, message } = await eventually(
      'data to be back',
      async () => {
        const { status } = await client.get<KubeObject & Pick<Replication, 'status'>>(replication);
        const { reverseSync } = status ?? {};
        return reverseSync !== undefined && reverseSync.phase !== 'Running' ? reverseSync : undefined;
      },
      120_000,
    );
    if (phase !== 'Completed') throw new Error(`data was not brought back: ${message ?? ''}`);
    await annotate(this.#solo, standby, annotation.active, 'false');
  }

  /** Of the keys towards the agents of both ends. */
  async rotated(): Promise<void> {
    const secret = { resource: wellKnown.secrets, namespace: SYSTEM, name: SOURCE_KEY_SECRET };
    const key = annotation.rotateSshKey;
    for (const ref of [secret, cluster]) {
      await annotate(this.#solo, ref, key, 'true');
      await eventually(
        `${key} of ${ref.name}`,
        async () => {
          const { metadata } = await this.#solo.client.get(ref);
          return metadata.annotations?.[key] === undefined ? true : undefined;
        },
        120_000,
      );
    }
    await eventually(
      'the rotation to end',
      async () => {
        const { status } = await this.#solo.client.get<KubeObject & Pick<RemoteCluster, 'status'>>(cluster);
        return status?.sshKey?.rotation === undefined ? true : undefined;
      },
      240_000,
    );
  }

  async placeholdersGone(): Promise<void> {
    await eventually(
      'placeholder pods to be gone',
      async () => {
        const { items } = await this.#solo.client.list(wellKnown.pods, { labelSelector: label.placeholder });
        return items.length === 0 ? true : undefined;
      },
      60_000,
    );
  }

  /** Replication, then RemoteCluster. */
  async end(): Promise<void> {
    for (const ref of [replication, cluster]) {
      await this.#solo.client.delete(ref);
      await eventually(
        `${ref.name} to be gone`,
        async () => ((await this.#solo.client.find(ref)) === undefined ? true : undefined),
        90_000,
      );
    }
  }
}

async function annotate({ client }: Solo, ref: ObjectRef, key: string, value: string): Promise<void> {
  await client.patch(ref, { metadata: { annotations: { [key]: value } } }, 'merge');
}
