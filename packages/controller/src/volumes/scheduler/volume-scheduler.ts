import { setMaxListeners } from 'node:events';

import { Gauge, Histogram, type Registry } from 'prom-client';

import { Stage } from './stage.js';

export interface SchedulerLimits {
  /** Transfers at a time, of this controller. */
  readonly transfers: number;
  /** Of one node, as source or as destination. */
  readonly perNode: number;
  /** To one remote cluster and one node of it; where nothing is said: as above. */
  readonly ofRemote: (remote: string) => { readonly transfers?: number; readonly perNode?: number };
}

export interface VolumeTask<P extends Placed, T> {
  /** The copy: remote, namespace and claim. Never worked on by two at a time. */
  readonly volume: string;
  /** `namespace/name` of the RemoteCluster. */
  readonly remote: string;
  /** The source namespace: turns go round among these. */
  readonly namespace: string;
  /** Higher goes first. */
  readonly priority: number;
  /** Finds out where the volume is at both ends, and mounts it there. */
  readonly prepare: () => Promise<P>;
  readonly transfer: (prepared: P) => Promise<T>;
}

export interface Placed {
  readonly sourceNode: string;
  readonly destinationNode: string;
}

/**
 * So many volumes more than are transferred may be prepared. Mounting takes seconds and no bandwidth, so the next ones
 * are ready when a transfer ends; each of them may be a pod on a node, so not all that wait are.
 */
const AHEAD = 8;

const stages = ['prepare', 'transfer'] as const;

/**
 * Decides when each volume's turn is. A volume is prepared first, which tells where it is, and then transferred when
 * controller, remote cluster and both nodes have room for it.
 */
export class VolumeScheduler {
  /** One at a time for each volume, however many ask. */
  readonly #leases: Stage;
  readonly #stages: Readonly<Record<(typeof stages)[number], Stage>>;

  constructor(limits: SchedulerLimits, registry: Registry) {
    const waits = new Histogram({
      name: 'dr_syncer_volume_wait_seconds',
      help: 'How long volumes waited for their turn, by stage (prepare, transfer).',
      labelNames: ['stage'],
      buckets: [0.1, 1, 10, 60, 300, 1800, 7200],
      registers: [registry],
    });
    this.#leases = new Stage({
      concurrency: Number.POSITIVE_INFINITY,
      limitOf: () => 1,
      onBegin: () => undefined,
    });
    this.#stages = {
      prepare: new Stage({
        concurrency: limits.transfers + AHEAD,
        limitOf: (key) => limitOf(limits, key) + AHEAD,
        onBegin: (seconds) => waits.observe({ stage: 'prepare' }, seconds),
      }),
      transfer: new Stage({
        concurrency: limits.transfers,
        limitOf: (key) => limitOf(limits, key),
        onBegin: (seconds) => waits.observe({ stage: 'transfer' }, seconds),
      }),
    };
    this.#gauge(
      registry,
      'dr_syncer_volumes_waiting',
      'Volumes that wait for their turn, by stage.',
      'waiting',
    );
    this.#gauge(registry, 'dr_syncer_volumes_running', 'Volumes that have their turn, by stage.', 'running');
  }

  /**
   * @param signal takes the volume out of the queue; what has begun ends by itself
   * @throws what the task throws; the signal's reason while it waits
   */
  async run<P extends Placed, T>(task: VolumeTask<P, T>, signal: AbortSignal): Promise<T> {
    // One signal may stand for all volumes of a Replication, and each listens.
    setMaxListeners(0, signal);
    const { namespace: tenant, priority, remote } = task;
    const turn = (...keys: string[]) => ({ tenant, priority, keys });
    return this.#leases.run(
      turn(`volume:${task.volume}`),
      async () => {
        let ended: Promise<T> | undefined;
        const prepare = async (): Promise<void> => {
          const prepared = await task.prepare();
          const keys = [
            `remote:${remote}`,
            `source:${prepared.sourceNode}`,
            `destination:${remote}:${prepared.destinationNode}`,
          ];
          // The place among those that are prepared is kept until the transfer has begun.
          await new Promise<void>((resolve) => {
            const transfer = () => {
              resolve();
              return task.transfer(prepared);
            };
            ended = this.#stages.transfer.run(turn(...keys), transfer, signal);
            ended.then(() => resolve(), resolve);
          });
        };
        await this.#stages.prepare.run(turn(`remote:${remote}`), prepare, signal);
        return (await ended) as T;
      },
      signal,
    );
  }

  #gauge(registry: Registry, name: string, help: string, what: 'waiting' | 'running'): void {
    const value = (stage: (typeof stages)[number]) => this.#stages[stage][what];
    new Gauge({
      ...{ name, help, labelNames: ['stage'], registers: [registry] },
      collect() {
        for (const stage of stages) this.set({ stage }, value(stage));
      },
    });
  }
}

/** Keys are `remote:NAME`, `source:NODE`, `destination:NAME:NODE`; the name of a remote has a slash and no colon. */
function limitOf({ transfers, perNode, ofRemote }: SchedulerLimits, key: string): number {
  const [kind, name = ''] = key.split(':');
  if (kind === 'remote') return ofRemote(name).transfers ?? transfers;
  if (kind === 'destination') return ofRemote(name).perNode ?? perNode;
  return perNode;
}
