import { sleep } from '@dr-syncer/kube';

import {
  type AgentReport,
  decide,
  type Decision,
  questionsOf,
  type RotationPolicy,
  type RotationRequest,
  type RotationState,
  type Transition,
} from './machine.js';
import type { RotationRecord, Trigger } from './record.js';
import type { RotationNews } from './news.js';

export type Questions = ReturnType<typeof questionsOf>;

/** The keys that are rotated: where they are, who has to know of them, how that is proven. */
export interface RotationSubject<K extends RotatedKeys> {
  /** As they are in the API server now. @throws DrError, KubeError */
  load(signal: AbortSignal): Promise<K>;
  /** Writes what a transition changes, as one, or fails when somebody else has written since `load`. */
  advance(keys: K, transition: Transition, trigger: Trigger, signal: AbortSignal): Promise<K>;
  /** Has everybody told who needs to know of the keys in this phase; nobody has confirmed it when this returns. */
  publish(keys: K, signal: AbortSignal): Promise<void>;
  nodes(signal: AbortSignal): Promise<readonly string[]>;
  ask(node: string, keys: K, questions: Questions, signal: AbortSignal): Promise<AgentReport>;
}

export interface RotatedKeys {
  readonly record: RotationRecord;
  readonly createdAt: Date | undefined;
  readonly revoked?: readonly unknown[];
  readonly interrupted?: string;
}

export interface RotationOrder {
  /** What the annotation asks for. */
  readonly annotated: RotationRequest;
  /** When the keys are to be replaced without being asked; undefined: never. */
  readonly dueAt: (createdAt: Date) => Date | undefined;
  readonly policy: RotationPolicy;
  /** Takes the annotation away, if it still says what was done. Called before the last write of a rotation. */
  readonly acknowledge: (done: 'rotate' | 'revoke', signal: AbortSignal) => Promise<void>;
}

export interface RotationProgress<K> {
  readonly keys: K;
  /** Nodes that hold it up, or have not confirmed a revocation. */
  readonly waitingFor: readonly string[];
  /** When to look again, ms. */
  readonly againInMs: number;
}

export interface KeyRotationOptions<K extends RotatedKeys> {
  readonly subject: RotationSubject<K>;
  readonly news: RotationNews<K>;
  readonly now?: () => Date;
  /** So long `run` goes on waiting by itself before it says when to come again. */
  readonly patienceMs?: number;
}

/** Agents that are asked at the same time. */
const PARALLEL = 16;
const PATIENCE_MS = 3_000;
/** When to look again after somebody else has taken a step. */
const CHANGED_MS = 250;

/**
 * Takes the steps that the pure machine decides on. It remembers nothing that would be missed: a new one, in another
 * process, goes on where the Secret says.
 */
export class KeyRotation<K extends RotatedKeys> {
  readonly #options: KeyRotationOptions<K>;

  constructor(options: KeyRotationOptions<K>) {
    this.#options = options;
  }

  /** @throws DrError, KubeError: nothing is lost, it goes on with the next call */
  async run(order: RotationOrder, loaded: K, signal: AbortSignal): Promise<RotationProgress<K>> {
    const { subject, news, patienceMs = PATIENCE_MS } = this.#options;
    const until = performance.now() + patienceMs;
    let [keys, annotated] = [loaded, order.annotated];
    for (;;) {
      const due = order.dueAt(keys.createdAt ?? this.#now());
      const isDue = due !== undefined && due <= this.#now();
      const request = annotated === 'none' && isDue ? 'rotate' : annotated;
      const decision = await this.#decide(keys, request, order.policy, signal);
      if (decision.take === 'rest') return this.#resting(keys, due);
      if (decision.take === 'wait') {
        news.waits(keys, decision.for, this.#now());
        if (performance.now() + decision.ms > until)
          return { keys, waitingFor: decision.for, againInMs: decision.ms };
        await sleep(decision.ms, signal);
        const { phase } = keys.record;
        keys = await subject.load(signal);
        // Somebody else is at it, and may have served the annotation: what it asks for has to be read anew.
        if (keys.record.phase !== phase) return { keys, waitingFor: [], againInMs: CHANGED_MS };
        continue;
      }
      const served = servedBy(decision.take);
      const trigger = annotated === 'none' ? 'Schedule' : 'Annotation';
      // Before the last write: whoever restarts in between finishes, and asks nobody's annotation what for.
      if (served !== undefined && annotated === served) {
        await order.acknowledge(served, signal);
        annotated = 'none';
      }
      const next = await subject.advance(keys, decision.take, trigger, signal);
      news.took(decision.take, keys, next, decision.without);
      keys = next;
      // Also after the last step: the key that was replaced is to be forgotten, not only unused.
      await subject.publish(keys, signal);
    }
  }

  #resting(keys: K, due: Date | undefined): RotationProgress<K> {
    const againInMs =
      due === undefined ? Number.POSITIVE_INFINITY : Math.max(0, due.getTime() - this.#now().getTime());
    return { keys, waitingFor: [], againInMs };
  }

  async #decide(
    keys: K,
    request: RotationRequest,
    policy: RotationPolicy,
    signal: AbortSignal,
  ): Promise<Decision> {
    const state: RotationState = { ...keys.record, revoked: keys.revoked?.length ?? 0 };
    const questions = questionsOf(state);
    // With a new key to be made, what agents think of the present ones does not matter.
    const first = decide({ state, request, agents: [], policy, now: this.#now() });
    const asks = Object.values(questions).some(Boolean);
    if (!asks || first.take === 'stage' || first.take === 'revoke') return first;
    await this.#options.subject.publish(keys, signal);
    const agents = await this.#ask(keys, questions, signal);
    return decide({ state, request, agents, policy, now: this.#now() });
  }

  async #ask(keys: K, questions: Questions, signal: AbortSignal): Promise<AgentReport[]> {
    const { subject } = this.#options;
    const nodes = [...(await subject.nodes(signal))];
    const reports: AgentReport[] = [];
    const worker = async (): Promise<void> => {
      for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
        reports.push(await subject.ask(node, keys, questions, signal));
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, nodes.length) }, worker));
    return reports.sort((a, b) => a.node.localeCompare(b.node));
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }
}

function servedBy(transition: Transition): 'rotate' | 'revoke' | undefined {
  if (transition === 'finish') return 'rotate';
  return transition === 'contain' ? 'revoke' : undefined;
}
