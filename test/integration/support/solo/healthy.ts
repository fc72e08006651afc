import { replications } from '@dr-syncer/controller';
import { type ObjectRef, wellKnown } from '@dr-syncer/kube';

import { cli } from '../../../support/cli.js';
import { givenRemoteCluster, object, SYSTEM } from './given.js';
import { remoteClusters, type Solo, type SoloOptions, startSolo } from './solo.js';

export const REMOTE = 'standby';
export const SHOP = 'shop';
export const COPY = 'shop-copy';

/** A set-up in which nothing is wrong: a cluster with controller, agent, RemoteCluster and a standby. */
export async function startHealthy(options: SoloOptions = {}): Promise<Solo> {
  const solo = await startSolo({
    ...options,
    controller: { LEADER_ELECTION: 'true', POD_NAME: 'controller-0', ...options.controller },
  });
  const { client } = solo;
  // Stands for the Deployment whose pod the controller would be.
  const env = [{ name: 'SOURCE_AGENT_PORT', value: String(solo.agentPort) }];
  const labels = { app: 'dr-syncer-controller' };
  const container = { name: 'controller', image: 'x', env };
  await client.create(wellKnown.deployments, {
    ...object('Deployment', { name: 'dr-syncer-controller', namespace: SYSTEM }, 'apps/v1'),
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  });
  await client.patch(
    deployment,
    { status: { replicas: 1, availableReplicas: 1, readyReplicas: 1 } },
    'merge',
    {
      subresource: 'status',
    },
  );
  for (const name of [SHOP, COPY]) await client.create(wellKnown.namespaces, object('Namespace', { name }));
  await client.create(wellKnown.configMaps, object('ConfigMap', { name: 'settings', namespace: SHOP }));
  await givenRemoteCluster(solo, REMOTE, { connectivity: { mode: 'Direct' } });
  await client.create(replications, {
    ...object('Replication', { name: SHOP, namespace: SYSTEM }, 'dr-syncer.io/v1alpha1'),
    spec: { destinationCluster: REMOTE, sourceNamespace: SHOP, destinationNamespace: COPY },
  });
  const { code, out, err } = await cli(['sync', SHOP, '-n', SYSTEM, '--wait', '--start-timeout', '2m'], {
    env: { KUBECONFIG: solo.api.kubeconfigPath },
  });
  if (code !== 0) throw new Error(`the set-up is not well: ${out}${err}`);
  return solo;
}

export const deployment: ObjectRef = {
  resource: wellKnown.deployments,
  ...{ namespace: SYSTEM, name: 'dr-syncer-controller' },
};
export const kubeconfigSecret: ObjectRef = { resource: wellKnown.secrets, namespace: SYSTEM, name: REMOTE };
export const copyNamespace: ObjectRef = { resource: wellKnown.namespaces, name: COPY };
export const remoteCluster: ObjectRef = { resource: remoteClusters, namespace: SYSTEM, name: REMOTE };
