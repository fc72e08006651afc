import { Command, Option } from 'commander';

import { type ClusterFlags, clusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { confirm } from '../confirm.js';
import { failOver, type FailoverResult, oldestState } from '../failover/failover.js';
import type { Inventory } from '../failover/inventory.js';
import { takeInventory } from '../failover/inventory.js';
import { flagsOfRemote, type Pair, type RemoteFlags, remoteFlags, withPair } from '../failover/pair.js';
import { handOver, resumeSource } from '../failover/planned.js';
import { type Finding, findProblems, lookAround } from '../failover/preflight.js';
import { workloadsOf } from '../failover/source-workloads.js';
import { isRunning, nameOf, podsWithVolumes, stopProblems } from '../failover/stop.js';
import { CommandFailure, UsageError } from '../failure.js';
import { duration } from '../duration.js';
import { table } from '../output.js';
import type { Surroundings } from '../surroundings.js';
import { secondsOption } from './seconds.js';

interface Flags extends ClusterFlags, RemoteFlags {
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly timeout: number;
  readonly planned: boolean;
  readonly undo: boolean;
}

const DEFAULT_TIMEOUT_S = 600;

export function failover(around: Surroundings): Command {
  const command = new Command('failover')
    .description('starts a standby; without a name from its cluster alone, the source may be gone')
    .argument(
      '[replication]',
      'with --planned or --undo: name of the Replication, in the cluster of the source',
    )
    .option('-y, --yes', 'do not ask', false)
    .option('--dry-run', 'only show what would happen', false)
    .option('--planned', 'stop the source first and sync what it has: nothing is lost', false)
    .addOption(
      new Option('--undo', 'start the source again, where a planned failover was given up')
        .conflicts('planned')
        .default(false),
    )
    .option('--timeout <seconds>', 'for stopping and for starting', secondsOption, DEFAULT_TIMEOUT_S)
    .action((name: string | undefined, flags: Flags) => begin(around, name, flags));
  return remoteFlags(clusterFlags(command));
}

async function begin(around: Surroundings, name: string | undefined, flags: Flags): Promise<void> {
  if (flags.planned || flags.undo) {
    if (name === undefined) throw new UsageError('--planned and --undo need the name of the Replication');
    const work = flags.undo ? undo : planned;
    await withPair(around, flags, name, (pair, signal) => work(around, flags, pair, signal));
    return;
  }
  if (name !== undefined) {
    throw new UsageError(
      'the name of a Replication is for --planned; else name the standby: --remote-kubeconfig FILE -n NAMESPACE',
    );
  }
  const ofRemote = flagsOfRemote(flags);
  const { namespace } = flags;
  const at = ofRemote === undefined ? flags : { ...ofRemote, ...(namespace !== undefined && { namespace }) };
  await withCluster(around, at, (cluster, signal) => unplanned(around, flags, cluster, signal));
}

async function unplanned(
  around: Surroundings,
  flags: Flags,
  cluster: PersonsCluster,
  signal: AbortSignal,
): Promise<void> {
  const { namespace } = cluster;
  const inventory = await takeInventory(cluster, namespace, signal);
  around.out(await described(cluster, namespace, inventory, signal));
  if (flags.dryRun) return;
  if (!flags.yes) await confirm(around, `Start namespace ${namespace} on ${cluster.server}?`);
  report(around, await failOver(optionsOf(around, flags, cluster, namespace, signal), inventory));
}

async function planned(around: Surroundings, flags: Flags, pair: Pair, signal: AbortSignal): Promise<void> {
  const { source, remote, route, replication, key } = pair;
  const namespace = route.destinationNamespace;
  if (replication.spec.paused) {
    throw new CommandFailure(
      `Replication ${key} is paused (spec.paused), so nothing can be synced a last time`,
    );
  }
  const before = await takeInventory(remote, namespace, signal);
  if (before.activation?.phase === 'Returned') {
    throw new CommandFailure(
      'a failback has come to its last step: run "dr-syncer failback" to its end first',
    );
  }
  around.out(await described(remote, namespace, before, signal));
  if (before.activation === undefined) around.out(await describedSource(pair, signal));
  if (flags.dryRun) return;
  if (!flags.yes) {
    const question = `Stop ${route.sourceNamespace} on ${source.server} and start ${namespace} on ${remote.server}?`;
    await confirm(around, question);
  }
  const options = optionsOf(around, flags, remote, namespace, signal);
  // Once it has begun at the standby, nothing of the source may come after it.
  const isHandedOver = before.activation !== undefined;
  const stoppedAt = isHandedOver ? undefined : await handOver({ ...options, pair });
  const inventory = isHandedOver ? before : await takeInventory(remote, namespace, signal);
  report(around, await failOver({ ...options, ...(stoppedAt && { stoppedAt }) }, inventory));
}

async function undo(around: Surroundings, flags: Flags, pair: Pair, signal: AbortSignal): Promise<void> {
  const { remote, route, source } = pair;
  const { activation } = await takeInventory(remote, route.destinationNamespace, signal);
  if (activation !== undefined) {
    throw new CommandFailure(
      'the standby is active: the source must not run beside it. "dr-syncer failback" brings it back',
    );
  }
  const waiting = (await workloadsOf(source, route.sourceNamespace, signal)).filter(({ start }) => start);
  around.out(
    `starts at the source: ${waiting.map(({ object }) => nameOf(object)).join(', ') || 'nothing'}\n`,
  );
  if (flags.dryRun) return;
  if (!flags.yes) await confirm(around, `Start ${route.sourceNamespace} on ${source.server} again?`);
  const options = optionsOf(around, flags, source, route.sourceNamespace, signal);
  const notUp = await resumeSource({ ...options, pair });
  if (notUp.length > 0) throw new CommandFailure(`not up: ${notUp.join(', ')}`);
}

function optionsOf(
  around: Surroundings,
  flags: Flags,
  cluster: PersonsCluster,
  namespace: string,
  signal: AbortSignal,
) {
  const say = (line: string): void => around.err(`${line}\n`);
  return { cluster, namespace, signal, timeoutMs: flags.timeout * 1000, say };
}

function report(around: Surroundings, result: FailoverResult): void {
  around.out(
    table([
      ['RPO reached', result.rpoSeconds === undefined ? 'unknown' : duration(result.rpoSeconds)],
      ['RTO taken', duration(result.rtoSeconds)],
    ]),
  );
  if (result.unfenced.length > 0) {
    around.err(`warning: agents on ${result.unfenced.join(', ')} have not confirmed the fence\n`);
  }
  if (result.notUp.length > 0) {
    throw new CommandFailure(`not up: ${result.notUp.join(', ')}. Run this again to go on waiting.`);
  }
}

/** What a planned failover stops. @throws CommandFailure when it can't stop all; KubeError */
async function describedSource({ source, route }: Pair, signal: AbortSignal): Promise<string> {
  const namespace = route.sourceNamespace;
  const running = (await workloadsOf(source, namespace, signal)).filter(isRunning);
  const problems = stopProblems(running, await podsWithVolumes(source.client, namespace, signal));
  if (problems.length > 0) {
    throw new CommandFailure(`the source can't be stopped as a whole:\n  ${problems.join('\n  ')}`);
  }
  const names = running.map(({ object }) => `  ${nameOf(object)}`);
  return [
    `stops in ${namespace} on ${source.server}:`,
    ...(names.length > 0 ? names : ['  nothing']),
    '',
  ].join('\n');
}

async function described(
  cluster: PersonsCluster,
  namespace: string,
  inventory: Inventory,
  signal: AbortSignal,
): Promise<string> {
  const findings = findProblems(inventory, await lookAround(cluster.client, namespace, signal));
  return describe(cluster.server, namespace, inventory, findings);
}

function describe(
  server: string,
  namespace: string,
  inventory: Inventory,
  findings: readonly Finding[],
): string {
  const { activation, lastSyncs, runnable, claims } = inventory;
  const toStart = runnable.filter(({ patch }) => patch !== undefined);
  const state = oldestState(inventory);
  const lines = [
    `standby ${namespace} on ${server}`,
    ...(activation === undefined ? [] : [`failover begun at ${activation.startedAt}: ${activation.phase}`]),
    ...(activation?.phase === 'Returned'
      ? [
          `warning: its data is back at the source since ${activation.returnedAt ?? 'an unknown time'}; "dr-syncer failback" finishes that`,
        ]
      : []),
    `state of the source it has: ${state === undefined ? 'unknown' : `${state}, ${duration(ageOf(state))} ago`}`,
    '',
    table([
      ['REPLICATION', 'LAST SYNC', 'RESULT', 'OBJECTS', 'VOLUMES'],
      ...[...lastSyncs.values()].map((sync) => [
        ...[sync.replication, sync.endedAt, sync.result],
        `${sync.objects.synced} (${sync.objects.failed} failed)`,
        sync.volumes
          .map(({ claim, phase, successAt }) => `${claim} ${phase} ${successAt ?? 'never'}`)
          .join(', '),
      ]),
    ]),
    `${claims.length} volumes, ${inventory.objects.length} objects; ${toStart.length} of them start:`,
    ...toStart.map(({ object }) => `  ${object.kind} ${object.metadata.name}`),
    '',
    ...findings.map(({ level, text }) => `${level}: ${text}`),
  ];
  return `${lines.join('\n')}\n`;
}

function ageOf(time: string): number {
  return (Date.now() - Date.parse(time)) / 1000;
}
