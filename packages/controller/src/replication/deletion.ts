import { DrError, type Replication, STANDBY_FINALIZER } from '@dr-syncer/api';
import {
  addFinalizer,
  type EventRecorder,
  type KubeObject,
  kubeToDrError,
  removeFinalizer,
} from '@dr-syncer/kube';

import type { Cluster } from '../clusters/cluster.js';
import type { RemoteClusters } from '../clusters/remote-clusters.js';
import { replications } from '../custom-resources.js';
import { type EngineHub, removeStandby } from '../engine/index.js';
import { checkAdmission, routeOf } from './rules.js';

export interface DeletionOptions {
  readonly source: Cluster;
  readonly remotes: RemoteClusters;
  readonly hub: EngineHub;
  readonly events: EventRecorder;
}

/** What becomes of the standby when its Replication is deleted: `spec.deletionPolicy`. */
export class Deletion {
  readonly #options: DeletionOptions;

  constructor(options: DeletionOptions) {
    this.#options = options;
  }

  /** The finalizer is there exactly while the policy asks for it. @throws KubeError, DrError ObjectChanged */
  async prepare(object: KubeObject, { spec }: Replication, signal: AbortSignal): Promise<void> {
    const { client } = this.#options.source;
    const options = { signal };
    if (spec.deletionPolicy === 'Prune') {
      await addFinalizer(client, replications, object, STANDBY_FINALIZER, options);
    } else {
      await removeFinalizer(client, replications, object, STANDBY_FINALIZER, options);
    }
  }

  /**
   * Removes the standby if that is wanted, and lets the Replication go. A standby that has become active stays, like
   * one whose Replication was never allowed to make it.
   *
   * @throws DrError while the remote can't be asked; the Replication stays until it can, or the policy is Orphan
   */
  async finish(object: KubeObject, replication: Replication, signal: AbortSignal): Promise<void> {
    const { source, events } = this.#options;
    if (object.metadata.finalizers?.includes(STANDBY_FINALIZER) !== true) return;
    if (replication.spec.deletionPolicy === 'Prune') {
      try {
        const removed = await this.#remove(replication, signal);
        const message = `${removed} objects of the standby were removed.`;
        events.record({
          regarding: object,
          type: 'Normal',
          reason: 'StandbyRemoved',
          action: 'Delete',
          message,
        });
      } catch (err) {
        const problem = kubeToDrError(err);
        const message = `${problem.message}. ${problem.remedy}`;
        events.record({
          regarding: object,
          type: 'Warning',
          reason: problem.code,
          action: 'Delete',
          message,
        });
        if (problem.code !== 'StandbyActive' && problem.code !== 'NamespaceNotAllowed') throw problem;
      }
    }
    await removeFinalizer(source.client, replications, object, STANDBY_FINALIZER, { signal });
  }

  async #remove(replication: Replication, signal: AbortSignal): Promise<number> {
    const { remotes, hub } = this.#options;
    const { remoteKey, destinationNamespace } = routeOf(replication);
    const { cluster, spec } = remotes.require(remoteKey);
    checkAdmission(remoteKey, spec, replication);
    try {
      return await removeStandby(
        {
          ...{ hub, remote: cluster, namespace: destinationNamespace },
          ...{ uid: replication.metadata.uid, claims: replication.spec.prune.claims },
        },
        signal,
      );
    } catch (err) {
      const problem = kubeToDrError(err);
      // The namespace itself is gone, and all that was in it.
      if (problem.code === 'ObjectNotFound') return 0;
      throw new DrError(problem.code, problem.message, { cause: err });
    }
  }
}
