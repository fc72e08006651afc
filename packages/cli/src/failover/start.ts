import { setTimeout as sleep } from 'node:timers/promises';

import { type KubeClient, type KubeObject, refOf } from '@dr-syncer/kube';

import { isUp, type Rank, ranksOf, readinessOf, type StandbyObject } from './workloads.js';

export const FAILOVER_MANAGER = 'dr-syncer-failover';

export interface StartOptions {
  readonly client: KubeClient;
  /** Until everything is up. */
  readonly timeoutMs: number;
  /** One rank waits this long for those before it; then it begins all the same, and says so. */
  readonly rankTimeoutMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const POLL_MS = 500;

/**
 * Starts what is at rest, rank by rank, and waits until it is up. What is started already is only waited for, so it can
 * be run again.
 *
 * @returns what is not up at the end, as `Kind name (1/3)`
 * @throws KubeError
 */
export async function startStandby(
  objects: readonly StandbyObject[],
  options: StartOptions,
): Promise<string[]> {
  const deadline = Date.now() + options.timeoutMs;
  const ranks = ranksOf(objects);
  for (const [index, rank] of ranks.entries()) {
    await startRank(rank, options);
    const isLast = index === ranks.length - 1;
    const until = isLast ? deadline : Math.min(deadline, Date.now() + options.rankTimeoutMs);
    const late = await waitFor(rank, until, options);
    if (late.length > 0 && !isLast) options.say(`going on without ${late.join(', ')}`);
  }
  return waitFor(ranks.flat(), deadline, options);
}

async function startRank(rank: Rank, { client, say, signal }: StartOptions): Promise<void> {
  await Promise.all(
    rank.map(async ({ resource, object, patch }) => {
      if (patch === undefined) return;
      await client.patch(refOf(resource, object), patch, 'merge', { fieldManager: FAILOVER_MANAGER, signal });
      say(`started ${object.kind} ${object.metadata.name}`);
    }),
  );
}

async function waitFor(rank: Rank, deadline: number, options: StartOptions): Promise<string[]> {
  const { client, say, signal } = options;
  const measurable = rank.filter(({ object }) => readinessOf(object) !== undefined);
  const said = new Map<string, string>();
  for (;;) {
    const current = await Promise.all(
      measurable.map(({ resource, object }) => client.find(refOf(resource, object), { signal })),
    );
    const late = current.filter((object) => object !== undefined).filter((object) => !isUp(object));
    for (const object of current) if (object !== undefined) sayChange(object, said, say);
    if (late.length === 0 || Date.now() >= deadline) return late.map(described);
    await sleep(POLL_MS, undefined, { signal });
  }
}

function sayChange(object: KubeObject, said: Map<string, string>, say: (line: string) => void): void {
  const key = `${object.kind}/${object.metadata.name}`;
  const text = described(object);
  if (said.get(key) === text) return;
  said.set(key, text);
  say(isUp(object) ? `up: ${text}` : `waiting: ${text}`);
}

function described(object: KubeObject): string {
  const { ready, wanted } = readinessOf(object) ?? { ready: 0, wanted: 0 };
  return `${object.kind} ${object.metadata.name} (${ready}/${wanted})`;
}
