import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { agentNames, annotation, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { isConflict, isNotFound, type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

/** Volumes that agents let nobody write to, by the namespace of their claims. */
export type FencedVolumes = ReadonlyMap<string, readonly string[]>;

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

interface AgentPod extends KubeObject {
  spec: { nodeName?: string };
  status?: { conditions?: { type: string; status: string }[] };
}

const KEY = 'volumes';
const SECTION = /^# namespace (\S+)$/;
const ATTEMPTS = 5;
const POLL_MS = 500;
const MANAGER = 'dr-syncer-failover';

/** The list as the agents read it (a PV name a line), with a comment before the volumes of each namespace. */
export function renderFence(volumes: FencedVolumes): string {
  const sections = [...volumes]
    .filter(([, names]) => names.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([namespace, names]) => [`# namespace ${namespace}`, ...[...new Set(names)].sort()].join('\n'));
  return sections.length === 0 ? '' : `${sections.join('\n')}\n`;
}

/** The inverse. Lines that stand before any section are kept under the name "". */
export function parseFence(text: string): Map<string, string[]> {
  const volumes = new Map<string, string[]>();
  let section = '';
  for (const line of text.split('\n').map((one) => one.trim())) {
    section = SECTION.exec(line)?.[1] ?? section;
    if (line !== '' && !line.startsWith('#')) volumes.set(section, [...(volumes.get(section) ?? []), line]);
  }
  return volumes;
}

/** What an agent with this list shows in its metrics: see `fenceDigest` of the agent. */
export function fenceDigest(text: string): string {
  const names = new Set([...parseFence(text).values()].flat());
  return createHash('sha256')
    .update([...names].sort().join('\n'))
    .digest('hex')
    .slice(0, 16);
}

/**
 * Sets the fenced volumes of one namespace; those of others stay. An empty list opens it again.
 *
 * @returns the whole list as it is now
 * @throws KubeError
 */
export async function writeFence(
  client: KubeClient,
  namespace: string,
  volumes: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const ref = {
    resource: wellKnown.configMaps,
    namespace: SYSTEM_NAMESPACE,
    name: agentNames.fenceConfigMap,
  };
  for (let attempt = 1; ; attempt += 1) {
    const present = await client.find<ConfigMap>(ref, { signal });
    const before = present?.data?.[KEY] ?? '';
    const text = renderFence(parseFence(before).set(namespace, [...volumes]));
    if (text === before) return text;
    try {
      if (present === undefined) {
        const metadata = { name: ref.name, namespace: ref.namespace };
        const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [KEY]: text } };
        await client.create(wellKnown.configMaps, object, { fieldManager: MANAGER, signal });
      } else {
        const { resourceVersion } = present.metadata;
        const body = { metadata: { resourceVersion }, data: { [KEY]: text } };
        await client.patch(ref, body, 'merge', { fieldManager: MANAGER, signal });
      }
      return text;
    } catch (err) {
      if (!isConflict(err) || attempt === ATTEMPTS) throw err;
    }
  }
}

/**
 * Has each kubelet bring the list to its agent and waits until the agents say that they have it.
 *
 * @returns nodes whose agent has not said so in time
 */
export async function confirmFence(
  client: KubeClient,
  text: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string[]> {
  const digest = fenceDigest(text);
  const deadline = Date.now() + timeoutMs;
  const pods = await agentPods(client, signal);
  await Promise.all(pods.map((pod) => nudge(client, pod, digest, signal)));
  for (;;) {
    const answers = await Promise.all(pods.map((pod) => hasFence(client, pod, digest, signal)));
    const missing = pods.filter((_pod, index) => !answers[index]);
    if (missing.length === 0 || Date.now() > deadline) return missing.map(nodeOf).sort();
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function agentPods(client: KubeClient, signal: AbortSignal): Promise<AgentPod[]> {
  const { items } = await client.list<AgentPod>(wellKnown.pods, {
    ...{ namespace: SYSTEM_NAMESPACE, labelSelector: `app=${agentNames.daemonSet}`, signal },
  });
  return items;
}

/** kubelet looks at a pod's ConfigMaps when the pod changes, and else once in a minute or so. */
async function nudge(client: KubeClient, pod: AgentPod, digest: string, signal: AbortSignal): Promise<void> {
  const ref = { resource: wellKnown.pods, namespace: SYSTEM_NAMESPACE, name: pod.metadata.name };
  const body = { metadata: { annotations: { [annotation.fenceRevision]: digest } } };
  try {
    await client.patch(ref, body, 'merge', { fieldManager: MANAGER, signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
}

async function hasFence(
  client: KubeClient,
  pod: AgentPod,
  digest: string,
  signal: AbortSignal,
): Promise<boolean> {
  const path = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/pods/${pod.metadata.name}:8080/proxy/metrics`;
  try {
    const metrics = await client.raw('GET', path, { accept: 'text/plain', signal, timeoutMs: 3_000 });
    return String(metrics).includes(`dr_syncer_ssh_fence{digest="${digest}"} 1`);
  } catch {
    // A node that is gone can't write either; the caller says which have not confirmed.
    return false;
  }
}

function nodeOf(pod: AgentPod): string {
  return pod.spec.nodeName ?? pod.metadata.name;
}
