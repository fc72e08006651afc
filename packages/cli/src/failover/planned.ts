import { finalSync } from './controller-request.js';
import { releaseVolumes } from './failover.js';
import { listPlaceholders } from './inventory.js';
import type { Pair } from './pair.js';
import { noteStarted, noteStopped, startWorkloads, stopWorkloads } from './stop.js';

export interface PlannedOptions {
  readonly pair: Pair;
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Stops the application at the source and has everything it has brought to the standby. All of it can be done twice:
 * run again, what is at rest is left alone and a sync of what has not changed takes a moment.
 *
 * @returns since when the source is stopped (ISO 8601)
 * @throws CommandFailure when something can't be stopped or synced; KubeError
 */
export async function handOver(options: PlannedOptions): Promise<string> {
  const { pair, say, signal, timeoutMs } = options;
  const { source, route } = pair;
  const namespace = route.sourceNamespace;
  const since = await noteStopped(source, namespace, signal);
  await stopWorkloads({ cluster: source, namespace, timeoutMs, say, signal });
  say('the source is stopped; syncing what it has');
  await finalSync(pair, `planned-${Date.now()}`, { say, signal });
  say('everything that the source has is at the standby');
  return since;
}

/** Starts the source as it was. @returns what is not up at the end */
export async function resumeSource(options: PlannedOptions): Promise<string[]> {
  const { pair, say, signal, timeoutMs } = options;
  const { source, route } = pair;
  const namespace = route.sourceNamespace;
  await releaseVolumes(source.client, await listPlaceholders(source.client, namespace, signal), say, signal);
  const notUp = await startWorkloads({ cluster: source, namespace, timeoutMs, say, signal });
  await noteStarted(source.client, namespace, signal);
  return notUp;
}
