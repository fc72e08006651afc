import { setTimeout as sleep } from 'node:timers/promises';

import { annotation, label } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, refOf, wellKnown } from '@dr-syncer/kube';

import type { PersonsCluster } from '../cluster-flags.js';
import { CommandFailure } from '../failure.js';
import { type Workload, workloadsOf } from './source-workloads.js';
import { FAILOVER_MANAGER, startStandby } from './start.js';
import { rankOf } from './workloads.js';

export interface Pod extends KubeObject {
  readonly spec: {
    readonly volumes?: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[];
  };
  readonly status?: { readonly phase?: string };
}

export interface StopOptions {
  readonly cluster: Pick<PersonsCluster, 'client' | 'discovery'>;
  readonly namespace: string;
  /** Until all pods with volumes are gone. */
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const POLL_MS = 500;

/** What keeps the namespace from being brought to rest, as lines for people. Pure. */
export function stopProblems(workloads: readonly Workload[], pods: readonly Pod[]): string[] {
  const stuck = workloads.flatMap(({ object, problem }) =>
    problem === undefined ? [] : [`${nameOf(object)}: ${problem.message}; stop it yourself`],
  );
  const alone = pods
    .filter((pod) => isLive(pod) && (pod.metadata.ownerReferences ?? []).length === 0)
    .map(
      ({ metadata }) =>
        `Pod ${metadata.name} uses a volume and belongs to nothing that starts it again: delete it`,
    );
  return [...stuck, ...alone];
}

/**
 * Brings everything in the namespace to rest, with the numbers noted on each object, and waits until no pod has a volume
 * any more. What is at rest already is left alone, so it can be run again.
 *
 * @throws CommandFailure naming the pods that stay; KubeError
 */
export async function stopWorkloads(options: StopOptions): Promise<void> {
  const { cluster, namespace, say, signal } = options;
  const workloads = await workloadsOf(cluster, namespace, signal);
  const problems = stopProblems(
    workloads.filter(isRunning),
    await podsWithVolumes(cluster.client, namespace, signal),
  );
  if (problems.length > 0)
    throw new CommandFailure(`not everything can be stopped:\n  ${problems.join('\n  ')}`);
  // What starts others comes first: autoscalers and work by the clock have the highest ranks.
  const inOrder = [...workloads].sort((a, b) => rankOf(b.object) - rankOf(a.object));
  for (const { resource, object, stop, atRest } of inOrder) {
    if (stop === undefined) continue;
    const options_ = { fieldManager: FAILOVER_MANAGER, signal };
    await cluster.client.patch(refOf(resource, object), stop, 'merge', options_);
    if (!atRest) say(`stopped ${nameOf(object)}`);
  }
  await waitUntilGone(options);
}

/** Starts what `stopWorkloads` has stopped, and waits. @returns what is not up at the end */
export async function startWorkloads(options: StopOptions): Promise<string[]> {
  const { cluster, namespace, say, signal, timeoutMs } = options;
  const workloads = await workloadsOf(cluster, namespace, signal);
  const objects = workloads.map(({ resource, object, start }) => ({ resource, object, patch: start }));
  return startStandby(objects, { client: cluster.client, say, signal, timeoutMs, rankTimeoutMs: 60_000 });
}

/**
 * Writes down, on the source's namespace, since when it is stopped. A time that stands there stays, unless something has
 * run since.
 *
 * @returns ISO 8601
 */
export async function noteStopped(
  { client, discovery }: PersonsCluster,
  name: string,
  signal: AbortSignal,
): Promise<string> {
  const ref = { resource: wellKnown.namespaces, name };
  const present = (await client.get(ref, { signal })).metadata.annotations?.[annotation.stopped];
  const workloads = await workloadsOf({ client, discovery }, name, signal);
  if (present !== undefined && !workloads.some(isRunning)) return present;
  const now = new Date().toISOString();
  await patchStopped(client, name, now, signal);
  return now;
}

/** Takes the note off again. */
export async function noteStarted(client: KubeClient, name: string, signal: AbortSignal): Promise<void> {
  await patchStopped(client, name, null, signal);
}

export function isRunning({ atRest }: Workload): boolean {
  return !atRest;
}

export function nameOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.name}`;
}

/** Pods of the workload that have a claim mounted, or will have. @throws KubeError */
export async function podsWithVolumes(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<Pod[]> {
  const { items } = await client.list<Pod>(wellKnown.pods, { namespace, signal });
  return items.filter(isLive);
}

function isLive({ spec, status, metadata }: Pod): boolean {
  if (metadata.labels?.[label.placeholder] !== undefined) return false;
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return false;
  return (spec.volumes ?? []).some((volume) => volume.persistentVolumeClaim !== undefined);
}

async function waitUntilGone({ cluster, namespace, timeoutMs, say, signal }: StopOptions): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (let said = ''; ;) {
    const left = (await podsWithVolumes(cluster.client, namespace, signal)).map(
      ({ metadata }) => metadata.name,
    );
    if (left.length === 0) return;
    const names = left.slice(0, 5).join(', ') + (left.length > 5 ? ` and ${left.length - 5} more` : '');
    if (Date.now() > deadline) {
      throw new CommandFailure(
        `pods that use volumes of ${namespace} have not ended: ${names}. Run this again to go on.`,
      );
    }
    if (names !== said) say(`waiting for the end of ${names}`);
    said = names;
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function patchStopped(
  client: KubeClient,
  name: string,
  value: string | null,
  signal: AbortSignal,
): Promise<void> {
  const body = { metadata: { annotations: { [annotation.stopped]: value } } };
  const ref = { resource: wellKnown.namespaces, name };
  await client.patch(ref, body, 'merge', { fieldManager: FAILOVER_MANAGER, signal });
}
