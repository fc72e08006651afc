import type { ReconcileSample, RequestSample } from '@dr-syncer/kube';
import { Counter, Histogram, type Registry } from 'prom-client';

/** Metrics of the controller's own work. Label values are bounded: kinds, verbs, results, Replications. */
export class SyncMetrics {
  readonly #syncs: Counter;
  readonly #duration: Histogram;
  readonly #requests: Counter;
  readonly #reconciles: Histogram;
  readonly #hooks: Counter;
  readonly #hookDuration: Histogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#syncs = new Counter({
      name: 'dr_syncer_syncs_total',
      help: 'Syncs that have ended, by result (success, failure).',
      labelNames: ['replication', 'result'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'dr_syncer_sync_duration_seconds',
      help: 'Duration of syncs.',
      buckets: [0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14_400],
      registers,
    });
    this.#requests = new Counter({
      name: 'dr_syncer_api_requests_total',
      help: 'Requests to API servers, by verb, resource and HTTP status (0: no response).',
      labelNames: ['verb', 'resource', 'status'],
      registers,
    });
    this.#reconciles = new Histogram({
      name: 'dr_syncer_reconcile_duration_seconds',
      help: 'Duration of reconciles, by controller and outcome.',
      labelNames: ['controller', 'outcome'],
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 30],
      registers,
    });
    this.#hooks = new Counter({
      name: 'dr_syncer_hooks_total',
      help: 'Hooks that have ended, by when they run (Pre, Post) and result.',
      labelNames: ['replication', 'when', 'result'],
      registers,
    });
    this.#hookDuration = new Histogram({
      name: 'dr_syncer_hook_duration_seconds',
      help: 'Duration of hooks.',
      labelNames: ['when'],
      buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 300, 3600],
      registers,
    });
  }

  hookEnded(replication: string, when: 'Pre' | 'Post', result: string, seconds: number): void {
    this.#hooks.inc({ replication, when, result });
    this.#hookDuration.observe({ when }, seconds);
  }

  syncEnded(replication: string, ok: boolean, seconds: number): void {
    this.#syncs.inc({ replication, result: ok ? 'success' : 'failure' });
    this.#duration.observe(seconds);
  }

  request({ verb, resource, status }: RequestSample): void {
    this.#requests.inc({ verb, resource, status: String(status) });
  }

  reconciled({ controller, outcome, seconds }: ReconcileSample): void {
    this.#reconciles.observe({ controller, outcome }, seconds);
  }
}
