import { remoteClusters } from '@dr-syncer/controller';
import { isNotFound, type KubeObject, sleep, wellKnown } from '@dr-syncer/kube';

import type { PersonsCluster } from '../cluster-flags.js';
import { makeSecret, type SecretOptions } from '../kubeconfig/create.js';
import { type Change, FIELD_MANAGER, nameOf, type Target } from './apply.js';

const SERVED_MS = 15_000;
const LOOK_MS = 250;

export interface RemoteClusterOptions {
  /** Of the RemoteCluster. */
  readonly name: string;
  /** A new kubeconfig even if there is one. */
  readonly renew: boolean;
  readonly secret: SecretOptions;
}

/**
 * The kubeconfig Secret and the RemoteCluster in the source. What is there stays: a kubeconfig that is in use, and
 * fields of the RemoteCluster that somebody has set.
 *
 * @throws KubeError, CommandFailure
 */
export async function connectRemote(
  source: Target,
  remote: PersonsCluster,
  { name, renew, secret }: RemoteClusterOptions,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Change[]> {
  const namespace = secret.secretNamespace;
  const ref = { resource: wellKnown.secrets, namespace, name: secret.name };
  const present = await source.client.find(ref, { signal });
  const named = { cluster: source.cluster, kind: 'Secret', name: `${namespace}/${secret.name}` };
  const changes: Change[] = [];
  if (present !== undefined && !renew) {
    changes.push({
      ...named,
      change: 'kept',
      note: 'the kubeconfig that is there; --new-kubeconfig makes another',
    });
  } else {
    // A dry run issues no token.
    if (!dryRun) {
      const made = await makeSecret(secret, remote, signal);
      await source.client.apply(wellKnown.secrets, made.secret, {
        fieldManager: FIELD_MANAGER,
        force: true,
        signal,
      });
    }
    changes.push({ ...named, change: present === undefined ? 'created' : 'changed' });
  }
  changes.push(
    await applyRemoteCluster(source, remoteClusterOf(name, namespace, secret.name), dryRun, signal),
  );
  return changes;
}

function remoteClusterOf(name: string, namespace: string, kubeconfigSecret: string): KubeObject {
  return {
    ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster' },
    metadata: { name, namespace, labels: { 'app.kubernetes.io/part-of': 'dr-syncer' } },
    spec: { kubeconfigSecret },
  };
}

async function applyRemoteCluster(
  { client, cluster }: Target,
  object: KubeObject,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Change> {
  const { name, namespace } = object.metadata;
  const before = await client
    .find({ resource: remoteClusters, name, namespace: namespace ?? '' }, { signal })
    .catch((err: unknown) => {
      // The definition is not there yet.
      if (isNotFound(err)) return undefined;
      throw err;
    });
  const change = { cluster, kind: object.kind, name: nameOf(object) };
  if (!dryRun) {
    await whenServed(
      () => client.apply(remoteClusters, object, { fieldManager: FIELD_MANAGER, force: true, signal }),
      signal,
    );
  }
  return { ...change, change: before === undefined ? 'created' : 'unchanged' };
}

/** A definition that was made a moment ago is served a moment later. */
async function whenServed(work: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  const until = performance.now() + SERVED_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (err) {
      if (!isNotFound(err) || performance.now() > until) throw err;
    }
    await sleep(LOOK_MS, signal);
  }
}
