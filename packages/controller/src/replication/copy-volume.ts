import type { DrError, Replication } from '@dr-syncer/api';
import { kubeToDrError } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { MoverPolicy } from '../volumes/identities.js';
import type { VolumeServices } from '../volumes/services.js';
import { syncVolume, type VolumeEnd } from '../volumes/sync-volume.js';
import type { ReplicationProgress } from './progress.js';
import type { Route } from './rules.js';

export interface CopyOptions {
  readonly replication: Replication;
  /** Names the sync: with the claim it makes the id of a transfer. */
  readonly request: string;
  /** Tells transfers of one request and claim apart, where there are several. */
  readonly pass?: string;
  readonly route: Route;
  /** UID of the namespace kube-system of the source cluster. */
  readonly sourceId: string;
  readonly volumeServices: VolumeServices;
  readonly policy: MoverPolicy;
  readonly progress: Pick<ReplicationProgress, 'volume'>;
  readonly changed: () => void;
  readonly logger: Logger;
}

/** Which way, and from where to where. */
export interface Way {
  readonly direction: 'forward' | 'reverse';
  readonly source: VolumeEnd;
  readonly destination: VolumeEnd;
}

/**
 * Copies one volume of a sync. What stops it stays with this volume: it is in the progress, and the others go on.
 *
 * @param named how a failure is called where the ends of the transfer are not those that people think of
 */
export async function copyVolume(
  options: CopyOptions,
  claim: string,
  way: Way,
  signal: AbortSignal,
  named: (problem: DrError) => DrError = (problem) => problem,
): Promise<void> {
  const { progress, changed, replication, request, pass, logger } = options;
  try {
    await syncVolume(
      {
        ...{ replication, request, claim, ...way, ...(pass !== undefined && { pass }) },
        ...{ remote: options.route.remoteKey, services: options.volumeServices, owner: options.sourceId },
        policy: options.policy,
        onStatus: (fields) => {
          progress.volume(claim, fields);
          changed();
        },
      },
      signal,
    );
  } catch (err) {
    if (signal.aborted) return;
    const problem = named(kubeToDrError(err));
    logger.warn('volume was not copied', { claim, direction: way.direction, err: problem });
    const message = `${problem.message}. ${problem.remedy}`;
    progress.volume(claim, { phase: 'Failed', reason: problem.code, message });
    changed();
  }
}
