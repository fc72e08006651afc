import { annotation } from '@dr-syncer/api';
import { recordOf } from '@dr-syncer/controller';
import type { KubeClient, KubeObject } from '@dr-syncer/kube';
import { wellKnown } from '@dr-syncer/kube';

import { type Activation, activationOf } from '../failover/activation.js';
import { readLastSyncs } from '../failover/last-sync.js';
import { ageSeconds } from './view.js';

/** A namespace of this cluster that is the standby of one elsewhere: what a remote shows of itself. */
export interface StandbyView {
  readonly namespace: string;
  readonly sourceNamespace: string;
  /**
   * Standby: syncs write to it. Starting: a failover was begun. Active: the application runs here. Returning, Returned: a
   * failback is under way.
   */
  readonly state: 'Standby' | Activation['phase'];
  /** ISO 8601: when the failover began. */
  readonly activeSince?: string;
  readonly syncs: readonly {
    /** `namespace/name` in the source cluster. */
    readonly replication: string;
    readonly result: string;
    readonly endedAt: string;
    readonly stateOf?: string;
    readonly rpoSeconds?: number;
  }[];
}

/** Whether the namespace is one. */
export function isStandby({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[annotation.standby] !== undefined;
}

/** @throws KubeError */
export async function standbyView(
  client: KubeClient,
  namespace: KubeObject,
  now: Date,
  signal: AbortSignal,
): Promise<StandbyView> {
  const { name } = namespace.metadata;
  const syncs = await readLastSyncs(client, name, signal);
  const activation = activationOf(namespace);
  return {
    namespace: name,
    sourceNamespace: sourceOf(namespace),
    state: activation?.phase ?? 'Standby',
    ...(activation !== undefined && { activeSince: activation.startedAt }),
    syncs: [...syncs.values()].map(({ replication, result, endedAt, successAt }) => {
      const rpoSeconds = ageSeconds(successAt, now);
      return {
        ...{ replication, result, endedAt },
        ...(successAt !== undefined && { stateOf: successAt }),
        ...(rpoSeconds !== undefined && { rpoSeconds }),
      };
    }),
  };
}

/** Of the namespaces given, those that are standbys. @throws KubeError */
export async function standbysOf(
  client: KubeClient,
  only: string | undefined,
  now: Date,
  signal: AbortSignal,
): Promise<StandbyView[]> {
  const namespaces =
    only === undefined
      ? (await client.list(wellKnown.namespaces, { signal })).items
      : [await client.find({ resource: wellKnown.namespaces, name: only }, { signal })];
  const found = namespaces.flatMap((one) => (one !== undefined && isStandby(one) ? [one] : []));
  return Promise.all(found.map((one) => standbyView(client, one, now, signal)));
}

function sourceOf(namespace: KubeObject): string {
  try {
    return recordOf(namespace)?.namespace ?? '';
  } catch {
    return 'unreadable record';
  }
}
