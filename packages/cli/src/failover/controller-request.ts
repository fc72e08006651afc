import { setTimeout as sleep } from 'node:timers/promises';

import { annotation, type ReplicationStatus, type VolumeRunStatus, type VolumeStatus } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { CommandFailure } from '../failure.js';
import type { Pair } from './pair.js';
import { FAILOVER_MANAGER } from './start.js';

type Asker = Pick<Pair, 'source' | 'ref' | 'key'>;

interface Waiting {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A controller that lives takes a request up within moments, unless it is at work on another one. */
const UPTAKE_MS = 120_000;
const POLL_MS = 500;

/** What is known of a request from a status. */
interface Look {
  readonly taken: boolean;
  readonly ended: boolean;
  readonly volumes: readonly VolumeStatus[];
}

/**
 * Has the controller sync everything and waits until it has.
 *
 * @throws CommandFailure when not everything is in place then, with what the status says; KubeError
 */
export async function finalSync(pair: Asker, id: string, waiting: Waiting): Promise<void> {
  const look = (status: ReplicationStatus | undefined): Look => {
    const ended = status?.lastSyncRequest === id && status.phase !== 'Running';
    return { taken: ended || isBusy(status), ended, volumes: status?.volumes ?? [] };
  };
  const status = await ask(pair, annotation.syncNow, id, look, waiting);
  const problem = syncProblem(status);
  if (problem !== undefined) throw new CommandFailure(`the sync of ${pair.key} is not complete: ${problem}`);
}

/**
 * Has the controller take the data of the volumes back, and waits until it has.
 *
 * @throws CommandFailure when a volume was not, with what the status says; KubeError
 */
export async function takeBack(pair: Asker, id: string, waiting: Waiting): Promise<readonly VolumeStatus[]> {
  const look = lookAt('reverseSync', id);
  const { reverseSync: run } = await ask(pair, annotation.reverseSync, id, look, waiting);
  return volumesOf(run, 'the data was not taken back');
}

/**
 * Has the controller look whether data could be taken back. Nothing is moved or stopped.
 *
 * @returns each volume, with what the source has written since the last sync where that is known
 * @throws CommandFailure when it could not, with what the status says; KubeError
 */
export async function checkBack(pair: Asker, id: string, waiting: Waiting): Promise<readonly VolumeStatus[]> {
  const look = lookAt('reverseCheck', id);
  const { reverseCheck: run } = await ask(pair, annotation.reverseCheck, id, look, waiting);
  return volumesOf(run, 'the data could not be taken back, and nothing was stopped');
}

/**
 * Has the controller copy the volumes of the standby into this namespace, which was made for a drill, and waits until it has.
 *
 * @throws CommandFailure when a volume was not, with what the status says; KubeError
 */
export async function copyForDrill(
  pair: Asker,
  namespace: string,
  waiting: Waiting,
): Promise<readonly VolumeStatus[]> {
  const { drill: run } = await ask(pair, annotation.drill, namespace, lookAt('drill', namespace), waiting);
  return volumesOf(run, 'the volumes were not copied');
}

/** The same for all that is done with the volumes besides syncs. */
function lookAt(field: 'reverseSync' | 'reverseCheck' | 'drill', id: string) {
  return (status: ReplicationStatus | undefined): Look => {
    const run = status?.[field];
    const isOurs = run?.request === id;
    return {
      taken: isOurs || isBusy(status),
      ended: isOurs && run.phase !== 'Running',
      volumes: isOurs ? run.volumes : [],
    };
  };
}

/** The controller is at work on this Replication, maybe on a request of before: ours comes after it. */
function isBusy(status: ReplicationStatus | undefined): boolean {
  const runs = [status?.reverseSync, status?.reverseCheck, status?.drill];
  return status?.phase === 'Running' || runs.some((run) => run?.phase === 'Running');
}

function volumesOf(run: VolumeRunStatus | undefined, failure: string): readonly VolumeStatus[] {
  if (run?.phase === 'Completed') return run.volumes;
  const { reason = 'Failed', message = 'no reason is given' } = run ?? {};
  throw new CommandFailure(`${failure} (${reason}): ${message}`);
}

/** What keeps a sync from being the whole state of the source; undefined: it is. Pure. */
export function syncProblem({ conditions = [], volumes = [], phase }: ReplicationStatus): string | undefined {
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True') return ready?.message ?? `phase ${phase ?? 'unknown'}`;
  const late = volumes.find((volume) => volume.phase !== 'Succeeded');
  return late === undefined ? undefined : `volume ${late.name} is ${late.phase}`;
}

async function ask(
  { source, ref, key }: Asker,
  name: string,
  id: string,
  look: (status: ReplicationStatus | undefined) => Look,
  { say, signal }: Waiting,
): Promise<ReplicationStatus> {
  const body = { metadata: { annotations: { [name]: id } } };
  await source.client.patch(ref, body, 'merge', { fieldManager: FAILOVER_MANAGER, signal });
  const said = new Map<string, string>();
  let heard = Date.now();
  for (;;) {
    const { status } = await source.client.get<KubeObject & { status?: ReplicationStatus }>(ref, { signal });
    const { taken, ended, volumes } = look(status);
    if (ended && status !== undefined) return status;
    if (taken) heard = Date.now();
    if (Date.now() - heard > UPTAKE_MS) {
      throw new CommandFailure(
        `the controller has not taken up the request for Replication ${key}: is it running, and is its RemoteCluster ready?`,
      );
    }
    for (const volume of taken ? volumes : []) sayVolume(volume, said, say);
    await sleep(POLL_MS, undefined, { signal });
  }
}

function sayVolume(
  { name, phase, percent }: VolumeStatus,
  said: Map<string, string>,
  say: Waiting['say'],
): void {
  // In tenths, so that a slow volume is not a line a percent.
  const share = phase === 'Transferring' && percent !== undefined ? ` ${Math.floor(percent / 10) * 10}%` : '';
  const text = `volume ${name}: ${phase}${share}`;
  if (said.get(name) !== text) say(text);
  said.set(name, text);
}
