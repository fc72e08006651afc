import { setTimeout as sleep } from 'node:timers/promises';
import { rename, writeFile } from 'node:fs/promises';

import { type KubeClient, type KubeObject, refOf, wellKnown } from '@dr-syncer/kube';

const NAMESPACE = 'dr-syncer-system';
const NAME = 'dr-syncer-agent';

export interface FakeNode {
  readonly client: KubeClient;
  readonly name: string;
  /** Of the agent's SSH server. */
  readonly agentPort: number;
  /** Where the agent looks for its keys. */
  readonly authorizedKeysFile: string;
}

/**
 * Stands for kubelet and the DaemonSet controller, as far as the controller of DR-Syncer looks at them: says that the
 * DaemonSet has one pod and that it is ready, and brings the Secret with the authorized keys to the agent.
 */
export async function playNode(node: FakeNode, signal: AbortSignal): Promise<void> {
  let keys = '';
  while (!signal.aborted) {
    try {
      await daemonSetStatus(node);
      keys = await bringKeys(node, keys);
    } catch (err) {
      if (!isAborted(signal)) process.stderr.write(`fake node: ${String(err)}\n`);
    }
    await sleep(250, undefined, { signal }).catch(() => undefined);
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function daemonSetStatus({ client, name, agentPort }: FakeNode): Promise<void> {
  const ref = { resource: wellKnown.daemonSets, namespace: NAMESPACE, name: NAME };
  const daemonSet = await client.find<KubeObject & { status?: { observedGeneration?: number } }>(ref);
  const pod = { resource: wellKnown.pods, namespace: NAMESPACE, name: `${NAME}-${name}` };
  const present = await client.find(pod);
  if (daemonSet === undefined) {
    if (present !== undefined) await client.delete(pod, { gracePeriodSeconds: 0 });
    return;
  }
  if (present === undefined) await createPod(client, name, { image: imageOf(daemonSet), port: agentPort });
  const { generation } = daemonSet.metadata;
  if (daemonSet.status?.observedGeneration === generation) return;
  const counts = {
    desiredNumberScheduled: 1,
    currentNumberScheduled: 1,
    numberReady: 1,
    numberMisscheduled: 0,
  };
  const status = { observedGeneration: generation, ...counts };
  await client.patch(ref, { status }, 'merge', { subresource: 'status' });
}

function imageOf(daemonSet: KubeObject): string {
  const spec = daemonSet['spec'] as { template: { spec: { containers: { image: string }[] } } };
  return spec.template.spec.containers[0]?.image ?? '';
}

async function createPod(
  client: KubeClient,
  node: string,
  { image, port }: { readonly image: string; readonly port: number },
): Promise<void> {
  const metadata = { name: `${NAME}-${node}`, namespace: NAMESPACE, labels: { app: NAME } };
  const pod = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata },
    spec: {
      nodeName: node,
      containers: [{ name: 'ssh', image, ports: [{ name: 'ssh', containerPort: port }] }],
    },
  };
  await client.create(wellKnown.pods, pod);
  const conditions = [{ type: 'Ready', status: 'True' }];
  const status = { phase: 'Running', podIP: '127.0.0.1', conditions };
  await client.patch(refOf(wellKnown.pods, pod), { status }, 'merge', { subresource: 'status' });
}

async function bringKeys({ client, authorizedKeysFile }: FakeNode, before: string): Promise<string> {
  const ref = { resource: wellKnown.secrets, namespace: NAMESPACE, name: `${NAME}-authorized-keys` };
  const secret = await client.find<KubeObject & { data?: Record<string, string> }>(ref);
  const text = Buffer.from(secret?.data?.['authorized_keys'] ?? '', 'base64').toString();
  if (text === before) return before;
  // As kubelet does: there is no moment with half of the keys.
  await writeFile(`${authorizedKeysFile}.new`, text);
  await rename(`${authorizedKeysFile}.new`, authorizedKeysFile);
  return text;
}
