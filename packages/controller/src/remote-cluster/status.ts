import type { Condition, RemoteCluster, RemoteClusterStatus } from '@dr-syncer/api';
import { type DrError } from '@dr-syncer/api';
import { findCondition, isTrue, type NewCondition, setCondition } from '@dr-syncer/kube';

/** The steps to a usable remote cluster, in order; each has a condition. */
export const steps = [
  'KubeconfigValid',
  'Reachable',
  'PermissionsGranted',
  'KeysReady',
  'AgentReady',
] as const;
export type Step = (typeof steps)[number];

/** What else is told, without a part in whether the cluster is usable. */
export type Notice = 'KubeconfigExpiring' | 'VersionsCompatible';

/**
 * Collects what one reconcile finds out about a RemoteCluster. Conditions of steps that were not reached keep what they
 * said, but a failed step makes the later ones Unknown: nobody looked.
 */
export class RemoteClusterReport {
  readonly remote: RemoteCluster;
  readonly #now: Date;
  #status: RemoteClusterStatus;
  /** Of the object, when it was written to since it was read. */
  resourceVersion: string | undefined;

  constructor(remote: RemoteCluster, now: Date) {
    this.remote = remote;
    this.#now = now;
    this.#status = { ...remote.status, observedGeneration: remote.metadata.generation };
  }

  get now(): Date {
    return this.#now;
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

  /** A step that is not as it should be, though the next ones can be taken. */
  lacking(step: Step, reason: string, message: string): void {
    this.#condition({ type: step, status: 'False', reason, message });
  }

  notice(condition: NewCondition & { type: string }): void {
    this.#condition(condition);
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

  removing(reason: string, message: string): void {
    this.#condition({ type: 'Ready', status: 'False', reason, message });
    this.set({ phase: 'Failed' });
  }

  get isReady(): boolean {
    return isTrue(this.#status.conditions, 'Ready');
  }

  condition(type: Step | Notice | 'Ready'): Condition | undefined {
    return findCondition(this.#status.conditions, type);
  }

  /** This reconcile has changed it to that. */
  hasBecome(type: Notice, status: Condition['status']): boolean {
    const before = findCondition(this.remote.status?.conditions, type);
    return this.condition(type)?.status === status && before?.status !== status;
  }

  #condition(next: NewCondition): void {
    const { generation } = this.remote.metadata;
    this.set({ conditions: setCondition(this.#status.conditions, next, generation, this.#now) });
  }
}
