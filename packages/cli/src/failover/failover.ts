import { setTimeout as sleep } from 'node:timers/promises';

import { isConflict, isNotFound, type KubeClient, type KubeObject, refOf, wellKnown } from '@dr-syncer/kube';

import type { PersonsCluster } from '../cluster-flags.js';
import { type Activation, recordActivation } from './activation.js';
import { confirmFence, writeFence } from './fence.js';
import { type Inventory, takeInventory } from './inventory.js';
import { startStandby } from './start.js';

export interface FailoverOptions {
  readonly cluster: Pick<PersonsCluster, 'client' | 'discovery'>;
  readonly namespace: string;
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly now?: () => Date;
  /** The source was stopped then (ISO 8601), and everything that it had is here: nothing is lost. */
  readonly stoppedAt?: string;
}

export interface FailoverResult {
  /** `Kind name (1/3)` of what is not up. */
  readonly notUp: readonly string[];
  /** Nodes whose agent has not confirmed the fence. */
  readonly unfenced: readonly string[];
  /** Seconds between the state that the standby had and the failover; undefined: not known. */
  readonly rpoSeconds: number | undefined;
  /** Seconds from the confirmation until everything was up. */
  readonly rtoSeconds: number;
}

const FENCE_MS = 30_000;
const RANK_MS = 60_000;
const PLACEHOLDER_MS = 60_000;
const POLL_MS = 500;

/**
 * Makes the standby the application: fences it off from whatever the source still does, releases its volumes, starts it
 * and waits. Every step is written down at the remote before the next one, and all of them can be done twice, so a
 * failover that was interrupted is continued by running it again.
 *
 * @throws KubeError; CommandFailure when there is no standby
 */
export async function failOver(options: FailoverOptions, before: Inventory): Promise<FailoverResult> {
  const { cluster, namespace, say, signal, now = () => new Date() } = options;
  const { client } = cluster;
  const activation = activationNow(options, before, now());
  await recordActivation(client, namespace, activation, signal);
  say('marked active: no sync writes here any more');

  const volumes = before.claims.flatMap(({ volume }) => volume ?? []);
  const fence = await writeFence(client, namespace, volumes, signal);
  const unfenced = await confirmFence(client, fence, FENCE_MS, signal);
  say(
    unfenced.length === 0
      ? `fenced ${volumes.length} volumes on every node`
      : `fenced ${volumes.length} volumes; not confirmed by the agents on ${unfenced.join(', ')}`,
  );
  await releaseVolumes(client, before.placeholders, say, signal);

  // What is at rest is read again: a sync that was writing when the namespace was marked has ended by now.
  const { runnable } = await takeInventory(cluster, namespace, signal);
  const notUp = await startStandby(runnable, {
    ...{ client, say, signal, timeoutMs: options.timeoutMs, rankTimeoutMs: RANK_MS },
  });
  const finished = now();
  if (notUp.length === 0) {
    const activeAt = activation.activeAt ?? finished.toISOString();
    await recordActivation(client, namespace, { ...activation, phase: 'Active', activeAt }, signal);
  }
  return {
    ...{ notUp, unfenced },
    rpoSeconds: secondsBetween(activation.stateOf, activation.startedAt),
    rtoSeconds: (finished.getTime() - Date.parse(activation.startedAt)) / 1000,
  };
}

/** The one that is written down, or a new one; a failback that was begun is given up. */
function activationNow(
  { stoppedAt }: Pick<FailoverOptions, 'stoppedAt'>,
  before: Pick<Inventory, 'activation' | 'lastSyncs'>,
  now: Date,
): Activation {
  const { activation } = before;
  if (activation !== undefined && activation.phase !== 'Returned') {
    const { startedAt, activeAt, stateOf } = activation;
    const phase = activation.phase === 'Returning' ? 'Starting' : activation.phase;
    return { phase, startedAt, ...(activeAt && { activeAt }), ...(stateOf && { stateOf }) };
  }
  const stateOf = stoppedAt ?? activation?.returnedAt ?? oldestState(before);
  return {
    ...{ phase: 'Starting', startedAt: stoppedAt ?? now.toISOString() },
    ...(stateOf !== undefined && { stateOf }),
  };
}

/** What the whole standby is at least as new as: the oldest of its Replications' last complete syncs. */
export function oldestState({ lastSyncs }: Pick<Inventory, 'lastSyncs'>): string | undefined {
  const states = [...lastSyncs.values()].map(({ successAt }) => successAt);
  if (states.length === 0 || states.includes(undefined)) return undefined;
  return states.filter((state) => state !== undefined).sort()[0];
}

/** Placeholder pods hold volumes mounted, and a volume that only one node may have could not go to its pod's. */
export async function releaseVolumes(
  client: KubeClient,
  placeholders: readonly KubeObject[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (placeholders.length === 0) return;
  // By uid: a controller that is still at work may have made another one with the same name by now.
  const pods = placeholders.map((pod) => ({ ref: refOf(wellKnown.pods, pod), uid: pod.metadata.uid }));
  await Promise.all(
    pods.map(async ({ ref, uid }) => {
      const options = { signal, gracePeriodSeconds: 1, preconditions: { uid } };
      await client.delete(ref, options).catch((err: unknown) => {
        if (!isNotFound(err) && !isConflict(err)) throw err;
      });
    }),
  );
  const deadline = Date.now() + PLACEHOLDER_MS;
  for (;;) {
    const left = await Promise.all(
      pods.map(async ({ ref, uid }) => (await client.find(ref, { signal }))?.metadata.uid === uid),
    );
    const count = left.filter(Boolean).length;
    if (count === 0 || Date.now() > deadline) {
      say(
        count === 0
          ? `released ${pods.length} volumes`
          : `${count} placeholder pods are still there; going on`,
      );
      return;
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

function secondsBetween(from: string | undefined, to: string): number | undefined {
  const seconds = from === undefined ? Number.NaN : (Date.parse(to) - Date.parse(from)) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
