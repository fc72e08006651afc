import type { KubeClient } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';
import type { Registry } from 'prom-client';

import type { RemoteClusters } from '../clusters/remote-clusters.js';
import type { ControllerConfig } from '../config.js';
import { PlaceholderKeeper } from './placeholders/keeper.js';
import { Bandwidth } from './scheduler/bandwidth.js';
import { VolumeScheduler } from './scheduler/volume-scheduler.js';
import type { VolumeServices } from './services.js';

export interface VolumeServicesDeps {
  readonly config: Pick<
    ControllerConfig,
    | 'CONCURRENT_TRANSFERS'
    | 'CONCURRENT_TRANSFERS_PER_NODE'
    | 'PARALLEL_STREAMS'
    | 'PARALLEL_STREAMS_MIN_MIB'
    | 'PLACEHOLDER_IMAGE'
    | 'PLACEHOLDER_TTL_SECONDS'
  >;
  /** Of the source cluster. */
  readonly source: KubeClient;
  /** UID of the source cluster. */
  readonly sourceId: string;
  readonly remotes: RemoteClusters;
  /** That Replications come from, or, with a RemoteCluster, go to. */
  readonly namespacesOf: (remoteKey?: string) => readonly string[];
  readonly registry: Registry;
  readonly logger: Logger;
}

/** The keeper is to be run by the caller. */
export function volumeServices(deps: VolumeServicesDeps): VolumeServices {
  const { config, source, sourceId, remotes, namespacesOf, registry, logger } = deps;
  const limits = (remote: string) => remotes.get(remote)?.spec.limits;
  return {
    scheduler: new VolumeScheduler(
      {
        transfers: config.CONCURRENT_TRANSFERS,
        perNode: config.CONCURRENT_TRANSFERS_PER_NODE,
        ofRemote: (remote) => {
          const { concurrentTransfers: transfers, perNode } = limits(remote) ?? {};
          return { ...(transfers !== undefined && { transfers }), ...(perNode !== undefined && { perNode }) };
        },
      },
      registry,
    ),
    bandwidth: new Bandwidth((remote) => limits(remote)?.bandwidthLimit ?? 0),
    streams: { most: config.PARALLEL_STREAMS, leastBytes: config.PARALLEL_STREAMS_MIN_MIB * 2 ** 20 },
    keeper: new PlaceholderKeeper({
      places: () => [
        { client: source, namespaces: () => namespacesOf() },
        ...[...remotes.handles()].map(
          ([
            key,
            {
              cluster: { client },
            },
          ]) => {
            return { client, namespaces: () => namespacesOf(key) };
          },
        ),
      ],
      owner: sourceId,
      ttlMs: config.PLACEHOLDER_TTL_SECONDS * 1000,
      logger,
    }),
    placeholderImage: config.PLACEHOLDER_IMAGE,
  };
}
