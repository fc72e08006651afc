import type { RemoteCluster, RemoteClusterStatus } from '@dr-syncer/api';
import { type DrError } from '@dr-syncer/api';
import { isTrue, type NewCondition, setCondition } from '@dr-syncer/kube';

/** The steps to a usable remote cluster, in order; each has a condition. */
export const steps = ['KubeconfigValid', 'Reachable', 'KeysReady', 'AgentReady'] as const;
export type Step = (typeof steps)[number];

/**
 * Collects what one reconcile finds out about a RemoteCluster. Conditions of steps that were not reached keep what they
 * said, but a failed step makes the later ones Unknown: nobody looked.
 */
export class RemoteClusterReport {
  readonly #generation: number;
  readonly #now: Date;
  #status: RemoteClusterStatus;

  constructor(remote: RemoteCluster, now: Date) {
    this.#generation = remote.metadata.generation;
    this.#now = now;
    this.#status = { ...remote.status, observedGeneration: this.#generation };
  }

  get status(): RemoteClusterStatus {
    return this.#status;
  }

  set(fields: Partial<RemoteClusterStatus>): void {
    this.#status = { ...this.#status, ...fields };
  }

  ok(step: Step, reason: string, message: string): void {
    this.#condition({ type: step, status: 'True', reason, message });
  }

  failed(step: Step, err: DrError): void {
    this.#condition({
      type: step,
      status: 'False',
      reason: err.code,
      message: `${err.message}. ${err.remedy}`,
    });
    for (const later of steps.slice(steps.indexOf(step) + 1)) {
      this.#condition({
        type: later,
        status: 'Unknown',
        reason: 'NotChecked',
        message: `${step} comes first.`,
      });
    }
    this.#condition({ type: 'Ready', status: 'False', reason: err.code, message: `${step}: ${err.message}` });
    // Agents that come and go are a matter of time; a refused kubeconfig is not.
    this.set({ phase: err.kind === 'retry' ? 'Degraded' : 'Failed' });
  }

  ready(message: string): void {
    this.#condition({ type: 'Ready', status: 'True', reason: 'Ready', message });
    this.set({ phase: 'Ready' });
  }

  paused(): void {
    this.#condition({ type: 'Ready', status: 'False', reason: 'Paused', message: 'spec.paused is true.' });
    this.set({ phase: 'Paused' });
  }

  get isReady(): boolean {
    return isTrue(this.#status.conditions, 'Ready');
  }

  #condition(next: NewCondition): void {
    this.set({ conditions: setCondition(this.#status.conditions, next, this.#generation, this.#now) });
  }
}
