import { setTimeout as sleep } from 'node:timers/promises';

import { annotation, label } from '@dr-syncer/api';
import { isNotFound, type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import { CommandFailure } from '../failure.js';
import { letVolumesGo } from './claims.js';
import { DRILL_MANAGER } from './names.js';

export interface RoomOptions {
  readonly client: KubeClient;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A drill says this often that it lives. */
const BEAT_MS = 5_000;
/** Two that were missed, and a bit: nobody is there. No clock is compared with that of another machine. */
const SILENCE_MS = 12_000;
const CLEANUP_MS = 180_000;
const POLL_MS = 500;

/** Removes what interrupted drills of the standby have left. @throws CommandFailure when one is going on; KubeError */
export async function removeLeftovers(standby: string, options: RoomOptions): Promise<number> {
  const { client, say, signal } = options;
  const look = async () =>
    (await client.list(wellKnown.namespaces, { labelSelector: `${label.drillOf}=${standby}`, signal })).items;
  const before = await look();
  if (before.length === 0) return 0;
  say(`found ${before.map(({ metadata }) => metadata.name).join(', ')}; looking whether it is still in use`);
  await sleep(SILENCE_MS, undefined, { signal });
  const after = new Map((await look()).map((one) => [one.metadata.uid, one]));
  const beats = (namespace: KubeObject | undefined) =>
    namespace?.metadata.annotations?.[annotation.drillAlive];
  for (const namespace of before) {
    const now = after.get(namespace.metadata.uid);
    if (now === undefined) continue;
    const { name, deletionTimestamp } = now.metadata;
    if (deletionTimestamp === undefined && beats(now) !== beats(namespace)) {
      throw new CommandFailure(`a drill of ${standby} is going on in namespace ${name}: wait for its end`);
    }
    await removeRoom(now, { client, say });
  }
  return before.length;
}

/**
 * Deletes the namespace of a drill with its volumes and waits until it is gone: also when the person has had enough, since
 * then it matters most.
 *
 * @returns whether nothing is left; what is, was said
 */
export async function removeRoom(
  { metadata: { name, uid } }: KubeObject,
  { client, say }: Pick<RoomOptions, 'client' | 'say'>,
): Promise<boolean> {
  const signal = AbortSignal.timeout(CLEANUP_MS);
  const ref = { resource: wellKnown.namespaces, name };
  try {
    const stay = await letVolumesGo(client, name, signal);
    await client.delete(ref, { preconditions: { uid }, signal }).catch((err: unknown) => {
      if (!isNotFound(err)) throw err;
    });
    while ((await client.find(ref, { signal }))?.metadata.uid === uid) {
      await sleep(POLL_MS, undefined, { signal });
    }
    say(`removed namespace ${name}`);
    if (stay.length > 0) say(`volumes that stay and are to be removed by hand: ${stay.join(', ')}`);
    return stay.length === 0;
  } catch (err) {
    const why = signal.aborted ? `not gone after ${CLEANUP_MS / 1000} s` : String(err);
    say(`namespace ${name} is still there (${why}): kubectl delete namespace ${name}`);
    return false;
  }
}

/**
 * Does the work and says meanwhile, on the namespace, that somebody is there. The work ends when the namespace goes.
 *
 * @throws CommandFailure when somebody has removed the namespace; what `work` throws
 */
export async function whileBeating<T>(
  { metadata: { name } }: KubeObject,
  { client, signal }: Pick<RoomOptions, 'client' | 'signal'>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const within = AbortSignal.any([signal, ended.signal]);
  const ref = { resource: wellKnown.namespaces, name };
  let gone: CommandFailure | undefined;
  const beat = async (): Promise<void> => {
    while (!within.aborted) {
      const body = { metadata: { annotations: { [annotation.drillAlive]: new Date().toISOString() } } };
      try {
        await client.patch(ref, body, 'merge', { fieldManager: DRILL_MANAGER, signal: within });
      } catch (err) {
        if (isNotFound(err)) {
          gone = new CommandFailure(`somebody has removed namespace ${name}`);
          ended.abort(gone);
        }
      }
      await sleep(BEAT_MS, undefined, { signal: within }).catch(() => undefined);
    }
  };
  const beating = beat();
  try {
    return await work(within);
  } catch (err) {
    throw gone ?? err;
  } finally {
    ended.abort();
    await beating;
  }
}
