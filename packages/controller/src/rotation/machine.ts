/**
 * Which step a rotation of keys takes next: pure, so that whoever restarts a controller anywhere gets the same answer
 * from what the Secret holds, what was asked for, and what the agents say. The same for the controller's key towards the
 * agents of a cluster and for the agents' host keys.
 *
 *     Idle -stage-> Staged -switch-> Switched -retire-> Retiring -finish-> Idle
 *     any  -revoke-> Revoking -contain-> Idle (-clear-> Idle, when agents that were away refuse the revoked keys too)
 */
export const phases = ['Idle', 'Staged', 'Switched', 'Retiring', 'Revoking'] as const;
export type Phase = (typeof phases)[number];

/** Each is one write of the Secret: it has happened as a whole or not at all. */
export const transitions = ['stage', 'switch', 'retire', 'finish', 'revoke', 'contain', 'clear'] as const;
export type Transition = (typeof transitions)[number];

/** What a Secret holds, as far as steps depend on it. */
export interface RotationState {
  readonly phase: Phase;
  /** Since when it is in this phase. */
  readonly since: Date;
  /** How many revoked keys have yet to be refused by all agents. */
  readonly revoked: number;
}

/** What has been asked for, by annotation or because the key is old enough. */
export type RotationRequest = 'none' | 'rotate' | 'revoke';

/**
 * What is known of one agent; what the phase does not ask for is false. `answers`: it could be spoken to, whatever it
 * thinks of the keys.
 */
export interface AgentReport {
  readonly node: string;
  readonly answers: boolean;
  /** The next key is among those that it accepts, in a way that outlives its restart. */
  readonly knowsNext: boolean;
  /** A real login with the current key was accepted (host keys: it showed the current one). */
  readonly provesCurrent: boolean;
  /** A real login with the previous key was refused (host keys: it does not show the previous one). */
  readonly refusesPrevious: boolean;
  /** The same of every revoked key. */
  readonly refusesRevoked: boolean;
}

export interface RotationPolicy {
  /** The previous key stays accepted for at least this long after the switch. */
  readonly overlapMs: number;
  /** False: agents that do not answer are not waited for. */
  readonly waitForAllNodes: boolean;
  /** So long, in each phase, agents that do not answer are waited for. */
  readonly nodeDeadlineMs: number;
}

export interface World {
  readonly state: RotationState;
  readonly request: RotationRequest;
  readonly agents: readonly AgentReport[];
  readonly policy: RotationPolicy;
  readonly now: Date;
}

export type Decision =
  /** `without`: nodes that were not waited for any longer. */
  | { readonly take: Transition; readonly without: readonly string[] }
  /** `for`: nodes that hold it up; none while only time has to pass, `ms` of it. */
  | { readonly take: 'wait'; readonly for: readonly string[]; readonly ms: number }
  | { readonly take: 'rest' };

/** How soon agents are asked again. */
const ASK_AGAIN_MS = 250;
/** The same, when only agents that do not answer are left. */
const ASK_SILENT_MS = 5_000;

export function decide(world: World): Decision {
  const { state, request } = world;
  if (request === 'revoke' && state.phase !== 'Revoking') return take('revoke');
  switch (state.phase) {
    case 'Idle':
      return decideIdle(world);
    case 'Staged':
      return onceAll(world, 'switch', ({ knowsNext }) => knowsNext);
    case 'Switched':
      return afterOverlap(
        world,
        onceAll(world, 'retire', ({ provesCurrent }) => provesCurrent),
      );
    case 'Retiring':
      return onceAll(world, 'finish', ({ refusesPrevious }) => refusesPrevious);
    case 'Revoking':
      return decideRevoking(world);
  }
}

/** What agents have to be asked in this phase. */
export function questionsOf({ phase, revoked }: RotationState): {
  readonly knowsNext: boolean;
  readonly provesCurrent: boolean;
  readonly refusesPrevious: boolean;
  readonly refusesRevoked: boolean;
} {
  return {
    knowsNext: phase === 'Staged',
    provesCurrent: phase === 'Switched' || phase === 'Revoking',
    refusesPrevious: phase === 'Retiring',
    refusesRevoked: revoked > 0,
  };
}

function decideIdle({ state, request, agents }: World): Decision {
  if (request === 'rotate') return take('stage');
  if (state.revoked === 0) return { take: 'rest' };
  const left = agents.filter(({ refusesRevoked }) => !refusesRevoked);
  return left.length === 0 ? take('clear') : wait(left);
}

/** Whoever answers has to be done; whoever does not is named until it has refused the key too. */
function decideRevoking({ agents }: World): Decision {
  const done = (one: AgentReport) => one.provesCurrent && one.refusesRevoked;
  const left = agents.filter((one) => one.answers && !done(one));
  const silent = agents.filter(({ answers }) => !answers);
  if (left.length > 0 || silent.length === agents.length) {
    return agents.length === 0 ? take('contain') : wait([...left, ...silent]);
  }
  return take('contain', silent);
}

/**
 * An agent that answers is always waited for: it is healthy, and a step without it would be a moment in which it refuses
 * the current key. One that does not answer gets the keys from its Secret when it comes back; it may be left out after
 * the deadline, but never all of them.
 */
function onceAll(
  { agents, state, policy, now }: World,
  next: Transition,
  isDone: (agent: AgentReport) => boolean,
): Decision {
  const left = agents.filter((one) => !isDone(one));
  if (left.length === 0) return take(next);
  const waited = now.getTime() - state.since.getTime();
  const late = !policy.waitForAllNodes || waited >= policy.nodeDeadlineMs;
  const mayGoOn = late && left.length < agents.length && left.every(({ answers }) => !answers);
  return mayGoOn ? take(next, left) : wait(left);
}

function afterOverlap({ state, policy, now }: World, decision: Decision): Decision {
  if (decision.take !== 'retire') return decision;
  const left = state.since.getTime() + policy.overlapMs - now.getTime();
  return left > 0 ? wait([], left) : decision;
}

function take(transition: Transition, without: readonly AgentReport[] = []): Decision {
  return { take: transition, without: without.map(({ node }) => node) };
}

function wait(agents: readonly AgentReport[], ms = pause(agents)): Decision {
  return { take: 'wait', for: agents.map(({ node }) => node), ms };
}

function pause(agents: readonly AgentReport[]): number {
  return agents.some(({ answers }) => answers) ? ASK_AGAIN_MS : ASK_SILENT_MS;
}
