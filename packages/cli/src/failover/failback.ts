import type { PersonsCluster } from '../cluster-flags.js';
import { CommandFailure } from '../failure.js';
import { type Activation, recordActivation } from './activation.js';
import { finalSync, takeBack } from './controller-request.js';
import { confirmFence, writeFence } from './fence.js';
import type { Inventory } from './inventory.js';
import { noteNumbers } from './numbers.js';
import { type PlannedOptions, resumeSource } from './planned.js';
import { isRunning, nameOf, noteStopped, stopProblems, podsWithVolumes, stopWorkloads } from './stop.js';
import { type Workload, workloadsOf } from './source-workloads.js';

export interface FailbackResult {
  /** `Kind name (1/3)` of what is not up at the source. */
  readonly notUp: readonly string[];
  /** Nodes of the remote whose agent has not confirmed that data is taken again. */
  readonly fenced: readonly string[];
  /** Seconds that nobody served: from the stop of the standby until the source was up. */
  readonly downSeconds: number;
  /** Why the standby does not follow the source yet; undefined: it does. */
  readonly notFollowing: string | undefined;
}

const FENCE_MS = 30_000;

/** Why this can't be failed back; undefined: it can. Pure. */
export function refusal(
  { activation }: Pick<Inventory, 'activation'>,
  running: readonly Workload[],
  {
    paused,
    stopSource,
    key,
  }: { readonly paused: boolean; readonly stopSource: boolean; readonly key: string },
): string | undefined {
  if (activation === undefined) return 'the standby is not active: there is nothing to take back';
  if (activation.phase === 'Starting') {
    return 'the failover has not come to its end: run "dr-syncer failover" again first';
  }
  if (paused) return `Replication ${key} is paused (spec.paused), so its controller does nothing`;
  // Its data is back; what runs there was started by this failback.
  if (activation.phase === 'Returned' || running.length === 0 || stopSource) return undefined;
  const names = running.map(({ object }) => nameOf(object));
  return (
    `the source still runs ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}. ` +
    'Stop it, or use --stop-source; what it has written since the failover is replaced by what the standby has'
  );
}

/** What runs at the source. @throws CommandFailure when something at either end could not be stopped; KubeError */
export async function runningAtSource({ pair, signal }: PlannedOptions): Promise<Workload[]> {
  const { source, remote, route } = pair;
  const running = await stoppable(source, route.sourceNamespace, signal);
  // Its turn comes later; what is in the way is told now.
  await stoppable(remote, route.destinationNamespace, signal);
  return running;
}

async function stoppable(
  cluster: PersonsCluster,
  namespace: string,
  signal: AbortSignal,
): Promise<Workload[]> {
  const running = (await workloadsOf(cluster, namespace, signal)).filter(isRunning);
  const problems = stopProblems(running, await podsWithVolumes(cluster.client, namespace, signal));
  if (problems.length === 0) return running;
  const lines = problems.join('\n  ');
  throw new CommandFailure(`${namespace} on ${cluster.server} can't be stopped as a whole:\n  ${lines}`);
}

/**
 * Brings the application back: the data while the standby serves, then what was written meanwhile with the standby
 * stopped, then the source is started and the standby is one again. How far it has come is written down at the standby, and
 * all steps can be done twice, so one that was interrupted is continued by running it again.
 *
 * @throws CommandFailure, KubeError; up to the start of the source the standby can be started again by a failover
 */
export async function failBack(options: PlannedOptions, activation: Activation): Promise<FailbackResult> {
  const { pair, say, signal } = options;
  const { source, remote, route } = pair;
  const [home, away] = [route.sourceNamespace, route.destinationNamespace];
  const began = Date.now();
  let stoppedAt = began;
  if (activation.phase !== 'Returned') {
    await noteStopped(source, home, signal);
    await noteNumbers(
      { cluster: source, namespace: home },
      { cluster: remote, namespace: away },
      say,
      signal,
    );
    await stopWorkloads({ ...options, cluster: source, namespace: home });
    await takeBack(pair, `warm-${began}`, { say, signal });
    say('the source has the data; stopping the standby');
    stoppedAt = Date.now();
    await recordActivation(remote.client, away, { ...activation, phase: 'Returning' }, signal);
    await stopWorkloads({ ...options, cluster: remote, namespace: away });
    await takeBack(pair, `final-${Date.now()}`, { say, signal });
    const returned = { ...activation, phase: 'Returned', returnedAt: new Date().toISOString() } as const;
    await recordActivation(remote.client, away, returned, signal);
    say('the source has everything that was written at the standby');
  }
  const notUp = await resumeSource(options);
  const downSeconds = (Date.now() - stoppedAt) / 1000;
  const fence = await writeFence(remote.client, away, [], signal);
  const fenced = await confirmFence(remote.client, fence, FENCE_MS, signal);
  await recordActivation(remote.client, away, undefined, signal);
  say('the standby is one again');
  return {
    ...{ notUp, fenced, downSeconds },
    notFollowing: await follow(pair, say, signal),
  };
}

/** The first sync after it: the application is back already, so what is wrong with it is told and no more. */
async function follow(
  pair: PlannedOptions['pair'],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await finalSync(pair, `after-failback-${Date.now()}`, { say, signal });
    return undefined;
  } catch (err) {
    if (err instanceof CommandFailure) return err.message;
    throw err;
  }
}
