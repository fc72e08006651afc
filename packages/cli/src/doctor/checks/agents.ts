import { agentNames, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import type { Check } from '../context.js';
import { eachCluster } from '../each-cluster.js';
import { type Finding, problem, well } from '../problems.js';

interface DaemonSet extends KubeObject {
  readonly status?: {
    readonly observedGeneration?: number;
    readonly desiredNumberScheduled?: number;
    readonly numberReady?: number;
  };
}

export interface AgentPod extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly restartCount?: number;
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

const NAMED = 5;

/** The agents are installed and ready on every node that should have one. */
export const agents: Check = (context) =>
  eachCluster(context, 'agents', async ({ title, client }) => {
    const { signal } = context;
    const at = { namespace: SYSTEM_NAMESPACE, name: agentNames.daemonSet };
    const daemonSet = await client.find<DaemonSet>({ resource: wellKnown.daemonSets, ...at }, { signal });
    const secret = {
      resource: wellKnown.secrets,
      namespace: SYSTEM_NAMESPACE,
      name: agentNames.hostKeysSecret,
    };
    const hasKeys = (await client.find(secret, { signal })) !== undefined;
    return judgeAgents(title, daemonSet, await agentPods(client, signal), hasKeys);
  });

export async function agentPods(client: KubeClient, signal: AbortSignal): Promise<AgentPod[]> {
  const options = { namespace: SYSTEM_NAMESPACE, labelSelector: `app=${agentNames.daemonSet}`, signal };
  return (await client.list<AgentPod>(wellKnown.pods, options)).items;
}

export function isReady({ status, metadata }: AgentPod): boolean {
  const ready = status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True');
  return ready === true && metadata.deletionTimestamp === undefined;
}

/** Pure. */
export function judgeAgents(
  cluster: string,
  daemonSet: DaemonSet | undefined,
  pods: readonly AgentPod[],
  hasKeys: boolean,
): Finding[] {
  const at = { check: 'agents', subject: cluster };
  const keys = hasKeys
    ? []
    : [problem('HostKeysMissing', at, `there is no Secret ${SYSTEM_NAMESPACE}/${agentNames.hostKeysSecret}`)];
  if (daemonSet === undefined)
    return [problem('NotInstalled', at, `there is no DaemonSet ${agentNames.daemonSet}`), ...keys];
  const { desiredNumberScheduled: desired = 0 } = daemonSet.status ?? {};
  const ready = pods.filter(isReady).length;
  if (desired === 0) {
    const message = 'no node of the cluster should have an agent, as the DaemonSet controller sees it';
    return [
      problem(
        'AgentNotReady',
        at,
        message,
        'See nodeSelector and tolerations in spec.agentDeployment, and that the cluster has nodes.',
      ),
      ...keys,
    ];
  }
  if (ready < desired) {
    return [
      problem('AgentNotReady', at, `${ready} of ${desired} agents are ready${reasons(pods, desired)}`),
      ...keys,
    ];
  }
  return keys.length > 0 ? keys : [well(at.check, cluster, `${ready} of ${desired} agents are ready`)];
}

function reasons(pods: readonly AgentPod[], desired: number): string {
  const texts = pods
    .filter((pod) => !isReady(pod))
    .map((pod) => `${pod.spec.nodeName ?? pod.metadata.name}: ${whyNot(pod)}`);
  const unseen = desired - pods.length;
  const lacking = unseen > 0 ? [`${unseen} have no pod (see the events of the DaemonSet)`] : [];
  const all = [...texts.slice(0, NAMED), ...lacking];
  return all.length === 0 ? '' : `; ${all.join('; ')}`;
}

function whyNot({ status }: AgentPod): string {
  const waiting = status?.containerStatuses?.find((one) => one.state?.waiting !== undefined)?.state?.waiting;
  if (waiting !== undefined) return [waiting.reason, waiting.message].filter(Boolean).join(', ');
  const unscheduled = status?.conditions?.find(
    ({ type, status: value }) => type === 'PodScheduled' && value === 'False',
  );
  return unscheduled?.message ?? 'not ready';
}
