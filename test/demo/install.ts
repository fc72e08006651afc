import { join } from 'node:path';

import type { RemoteCluster } from '@dr-syncer/api';

import type { Context } from './context.js';
import { DemoFailure, describeLook, eventsLook, podsLook } from './failure.js';
import type { Kubectl } from './kubectl.js';
import { remoteKubeconfig } from './remote-access.js';
import { MANIFEST_IMAGES, type Settings } from './settings.js';
import { DEMO_LABEL, SHOP } from './shop.js';
import {
  collectionPath,
  kubeconfigSecret,
  REMOTE_CLUSTER,
  remoteCluster,
  REPLICATION,
  SYSTEM_NAMESPACE,
} from './standby.js';
import { watchUntil } from './watch-until.js';

const CONTROLLER_MS = 180_000;
const REMOTE_READY_MS = 240_000;
const DELETE_MS = 180_000;

/** Installs dr-syncer with its own manifests and waits for the controller. */
export async function install({ source, remote, settings }: Context): Promise<void> {
  await Promise.all([
    applySource(source, settings),
    remote.run(['apply', '-k', join(settings.manifests, 'remote')], { timeoutMs: CONTROLLER_MS }),
  ]);
  const crds = ['remoteclusters', 'replications'].map((plural) => `crd/${plural}.dr-syncer.io`);
  await source.run(['wait', '--for=condition=Established', ...crds, '--timeout=30s']);
  await rolledOut(source, SYSTEM_NAMESPACE, 'deployment/dr-syncer-controller', CONTROLLER_MS);
}

/** The manifests with the images of this run: where their names change, pods are replaced. */
async function applySource(source: Kubectl, settings: Settings): Promise<void> {
  const rendered = await source.run(['kustomize', join(settings.manifests, 'source')]);
  const input = rendered
    .replaceAll(MANIFEST_IMAGES.controller, settings.controllerImage)
    .replaceAll(MANIFEST_IMAGES.agent, settings.agentImage);
  await source.run(['apply', '-f', '-'], { input, timeoutMs: CONTROLLER_MS });
}

/** Waits for a Deployment or StatefulSet; a failure shows its pods, events and log. */
export async function rolledOut(
  at: Kubectl,
  namespace: string,
  workload: string,
  timeoutMs: number,
): Promise<void> {
  const place = ['--namespace', namespace];
  try {
    const wait = ['rollout', 'status', workload, ...place, `--timeout=${timeoutMs / 1000}s`];
    await at.run(wait, { timeoutMs: timeoutMs + 10_000 });
  } catch (error) {
    at.signal.throwIfAborted();
    throw new DemoFailure(
      `${workload} in the ${at.cluster} cluster did not become ready`,
      [
        podsLook(at, namespace),
        eventsLook(at, namespace),
        { at, args: ['logs', workload, ...place, '--tail=30', '--all-containers'] },
      ],
      { cause: error },
    );
  }
}

/** Removes what an earlier demo left, so that this one starts from nothing; a namespace of somebody else stops it. */
export async function removeEarlierDemo({ source, remote, screen }: Context): Promise<void> {
  const present: Kubectl[] = [];
  for (const at of [source, remote]) {
    const namespace = await at.find('namespace', SHOP);
    if (namespace === undefined) continue;
    const owner = namespace.metadata.labels?.['app.kubernetes.io/part-of'];
    if (owner !== DEMO_LABEL['app.kubernetes.io/part-of']) {
      throw new DemoFailure(
        `the ${at.cluster} cluster has a namespace "${SHOP}" that this demo did not make; it is left alone`,
      );
    }
    present.push(at);
  }
  const wait = ['--ignore-not-found', '--wait', `--timeout=${DELETE_MS / 1000}s`];
  const own = ['delete', 'replications.dr-syncer.io', REPLICATION, '--namespace', SYSTEM_NAMESPACE, ...wait];
  await source.run(own, { timeoutMs: DELETE_MS + 10_000 });
  if (present.length > 0) screen.note('removing what an earlier demo left');
  await Promise.all(present.map(async (at) => await deleteShop(at, wait)));
}

async function deleteShop(at: Kubectl, wait: readonly string[]): Promise<void> {
  try {
    await at.run(['delete', 'namespace', SHOP, ...wait], { timeoutMs: DELETE_MS + 10_000 });
  } catch (error) {
    at.signal.throwIfAborted();
    const looks = [{ at, args: ['get', 'namespace', SHOP, '-o', 'yaml'] }, podsLook(at, SHOP)];
    throw new DemoFailure(`namespace ${SHOP} in the ${at.cluster} cluster does not go away`, looks, {
      cause: error,
    });
  }
}

/** Waits until the agents of a cluster are of this run's image, and ready. */
async function agentsReady(at: Kubectl, image: string): Promise<void> {
  const wanted = `--for=jsonpath={.spec.template.spec.containers[0].image}=${image}`;
  await at.run(['wait', wanted, 'daemonset/dr-syncer-agent', '-n', SYSTEM_NAMESPACE, '--timeout=60s'], {
    timeoutMs: 70_000,
  });
  await rolledOut(at, SYSTEM_NAMESPACE, 'daemonset/dr-syncer-agent', CONTROLLER_MS);
}

/** Hands the remote cluster to dr-syncer, waits until its agents are there, and shows each condition on the way. */
export async function connectRemote(context: Context): Promise<void> {
  const { source, remote, screen } = context;
  await source.apply([kubeconfigSecret(await remoteKubeconfig(remote)), remoteCluster()]);
  const shown = new Map<string, string>();
  const expired = (): Error =>
    new DemoFailure(`RemoteCluster ${REMOTE_CLUSTER} is not Ready after ${REMOTE_READY_MS / 1000} s`, [
      describeLook(source, SYSTEM_NAMESPACE, 'remotecluster', REMOTE_CLUSTER),
      podsLook(source, SYSTEM_NAMESPACE),
      podsLook(remote, SYSTEM_NAMESPACE),
      eventsLook(remote, SYSTEM_NAMESPACE),
      controllerLog(source),
    ]);
  await watchUntil(
    source,
    collectionPath('remoteclusters'),
    REMOTE_CLUSTER,
    { timeoutMs: REMOTE_READY_MS, expired },
    (object) => {
      const { status } = object as Pick<RemoteCluster, 'status'>;
      for (const { type, status: value, reason, message } of status?.conditions ?? []) {
        if (shown.get(type) === `${value} ${reason}`) continue;
        shown.set(type, `${value} ${reason}`);
        screen.note(`${type}: ${value === 'True' ? 'yes' : `${reason}, ${message}`}`);
      }
      return status?.phase === 'Ready' ? true : undefined;
    },
  );
  await Promise.all([source, remote].map((at) => agentsReady(at, context.settings.agentImage)));
}

export function controllerLog(source: Kubectl): { at: Kubectl; args: readonly string[] } {
  const args = ['logs', 'deployment/dr-syncer-controller', '--namespace', SYSTEM_NAMESPACE, '--tail=40'];
  return { at: source, args };
}
