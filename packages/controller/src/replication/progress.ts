import type { Replication, ReplicationStatus, VolumeStatus } from '@dr-syncer/api';
import { type NewCondition, setCondition } from '@dr-syncer/kube';

import type { Engine } from '../engine/index.js';
import type { LastSync } from './last-sync.js';
import type { SyncOutcome } from './outcome.js';

const MAX_VOLUMES = 100;

type Fields = Omit<ReplicationStatus, 'volumes' | 'volumesSummary' | 'conditions'>;

/** The status of a Replication while something happens to it, in memory; `StatusWriter` brings it to the server. */
export class ReplicationProgress {
  readonly #generation: number;
  #status: ReplicationStatus;
  #volumes: Map<string, VolumeStatus>;

  constructor(replication: Replication) {
    this.#generation = replication.metadata.generation;
    this.#status = { ...replication.status, observedGeneration: this.#generation };
    this.#volumes = new Map((replication.status?.volumes ?? []).map((volume) => [volume.name, volume]));
  }

  /** `undefined` takes a field away. */
  set(fields: { [K in keyof Fields]?: Fields[K] | undefined }): void {
    const entries = Object.entries({ ...this.#status, ...fields }).filter(([, value]) => value !== undefined);
    this.#status = Object.fromEntries(entries);
  }

  condition(next: NewCondition): void {
    const conditions = setCondition(this.#status.conditions, next, this.#generation, new Date());
    this.#status = { ...this.#status, conditions };
  }

  /** The volumes of this sync, each as it was before; what is not among them any more is dropped. */
  beginVolumes(names: readonly string[]): void {
    const before = this.#volumes;
    this.#volumes = new Map(
      names.map((name) => {
        const lastSuccessTime = before.get(name)?.lastSuccessTime;
        return [name, { name, phase: 'Pending', ...(lastSuccessTime && { lastSuccessTime }) }];
      }),
    );
  }

  volume(name: string, fields: Partial<VolumeStatus>): void {
    const before: VolumeStatus = this.#volumes.get(name) ?? { name, phase: 'Pending' };
    const { etaSeconds, ...rest } = { ...before, ...fields };
    const ended = rest.phase === 'Succeeded' || rest.phase === 'Failed';
    this.#volumes.set(name, ended || etaSeconds === undefined ? rest : { ...rest, etaSeconds });
  }

  get volumes(): readonly VolumeStatus[] {
    return [...this.#volumes.values()];
  }

  /** For the server: bounded, with volumes that have failed first when there are too many to show. */
  snapshot(): ReplicationStatus {
    const all = this.volumes;
    const done = all.filter(({ phase }) => phase === 'Succeeded').length;
    const shown =
      all.length <= MAX_VOLUMES
        ? all
        : [...all]
            .sort((a, b) => Number(b.phase === 'Failed') - Number(a.phase === 'Failed'))
            .slice(0, MAX_VOLUMES);
    return { ...this.#status, volumes: [...shown], volumesSummary: `${done}/${all.length}` };
  }
}

/** Where the objects stand. */
export function showObjects({ tally, pruning, surroundings }: Engine, progress: ReplicationProgress): void {
  progress.set({ syncStats: tally.stats(), resourceStatus: tally.byKind(), prune: pruning });
  progress.condition(surroundings);
}

/** What a failover wants to know of this sync. Volumes that don't fit are left out, those that have failed come first. */
export function lastSyncOf(
  { metadata }: Replication,
  progress: ReplicationProgress,
  { ok, message }: SyncOutcome,
  endedAt: Date,
): LastSync {
  const { lastSuccessTime, syncStats, volumes = [] } = progress.snapshot();
  const { applied = 0, unchanged = 0, failed = 0 } = syncStats ?? {};
  return {
    replication: `${metadata.namespace}/${metadata.name}`,
    result: ok ? 'Completed' : 'Failed',
    message: message.slice(0, 1000),
    endedAt: endedAt.toISOString(),
    ...(lastSuccessTime !== undefined && { successAt: lastSuccessTime }),
    objects: { synced: applied + unchanged, failed },
    volumes: volumes.map(({ name, phase, lastSuccessTime: successAt }) => ({
      ...{ claim: name, phase },
      ...(successAt !== undefined && { successAt }),
    })),
  };
}
