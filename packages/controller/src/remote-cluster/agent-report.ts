import { agentStates, type DrError, type RemoteClusterStatus } from '@dr-syncer/api';

type AgentStatus = NonNullable<RemoteClusterStatus['agentStatus']>;
type AgentNode = NonNullable<AgentStatus['nodes']>[number];

/** What is known of the agent on one node. */
export interface AgentFact {
  readonly node: string;
  readonly ready: boolean;
  /** The pod is of the DaemonSet's present template. */
  readonly current: boolean;
  /** What kubelet says about a pod that is not ready. */
  readonly waiting?: string | undefined;
  /** Why no control connection could be made. */
  readonly problem?: DrError | undefined;
}

const MAX_NODES = 50;
const MAX_MESSAGE = 300;

/**
 * The agents for status: all counted, the first fifty listed, those with a problem before the others.
 *
 * @param desired nodes that should run one
 */
export function agentReport(desired: number, facts: readonly AgentFact[]): AgentStatus {
  const nodes = facts.map(nodeOf);
  nodes.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  // A pod of the former template that answers does its work.
  const ready = nodes.filter(({ state }) => state === 'Ready' || state === 'Updating').length;
  return {
    ...{ desired, ready, summary: `${ready}/${desired}` },
    ...(nodes.length > 0 && { nodes: nodes.slice(0, MAX_NODES) }),
  };
}

function rank({ state }: AgentNode): number {
  return agentStates.indexOf(state);
}

function nodeOf({ node: name, ready, current, waiting, problem }: AgentFact): AgentNode {
  if (!ready) return { name, state: 'NotReady', ...message(waiting) };
  if (problem !== undefined)
    return { name, state: 'Unreachable', ...message(`${problem.code}: ${problem.message}`) };
  return { name, state: current ? 'Ready' : 'Updating' };
}

function message(text: string | undefined): { message?: string } {
  return text === undefined ? {} : { message: text.slice(0, MAX_MESSAGE) };
}
