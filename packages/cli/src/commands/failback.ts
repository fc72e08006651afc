import type { VolumeStatus } from '@dr-syncer/api';
import { wellKnown } from '@dr-syncer/kube';
import { Command } from 'commander';

import { confirm } from '../confirm.js';
import { type ClusterFlags, clusterFlags } from '../cluster-flags.js';
import { type Conflict, findConflicts } from '../failover/conflicts.js';
import { checkBack } from '../failover/controller-request.js';
import { dataConflict, isHandedOver } from '../failover/data-conflicts.js';
import { failBack, refusal, runningAtSource } from '../failover/failback.js';
import { takeInventory } from '../failover/inventory.js';
import { type Pair, type RemoteFlags, remoteFlags, withPair } from '../failover/pair.js';
import type { Workload } from '../failover/source-workloads.js';
import { nameOf } from '../failover/stop.js';
import { duration } from '../duration.js';
import { CommandFailure } from '../failure.js';
import { table } from '../output.js';
import type { Surroundings } from '../surroundings.js';
import { secondsOption } from './seconds.js';

interface Flags extends ClusterFlags, RemoteFlags {
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly stopSource: boolean;
  readonly timeout: number;
}

const DEFAULT_TIMEOUT_S = 600;

export function failback(around: Surroundings): Command {
  const command = new Command('failback')
    .description('brings an application back from its active standby: data, then the switch')
    .argument('<replication>', 'name of the Replication; its namespace is --namespace')
    .option('-y, --yes', 'do not ask', false)
    .option('--dry-run', 'only show what would happen', false)
    .option(
      '--stop-source',
      'stop what still runs at the source; its changes since the failover are replaced',
      false,
    )
    .option('--timeout <seconds>', 'for stopping and for starting', secondsOption, DEFAULT_TIMEOUT_S)
    .action(async (name: string, flags: Flags) => {
      await withPair(around, flags, name, (pair, signal) => run(around, flags, pair, signal));
    });
  return remoteFlags(clusterFlags(command));
}

async function run(around: Surroundings, flags: Flags, pair: Pair, signal: AbortSignal): Promise<void> {
  const { remote, route, replication, key } = pair;
  const say = (line: string): void => around.err(`${line}\n`);
  const options = { pair, say, signal, timeoutMs: flags.timeout * 1000 };
  const inventory = await takeInventory(remote, route.destinationNamespace, signal);
  const { activation } = inventory;
  const running = activation?.phase === 'Returned' ? [] : await runningAtSource(options);
  const { stopSource } = flags;
  const problem = refusal(inventory, running, { paused: replication.spec.paused, stopSource, key });
  if (problem !== undefined || activation === undefined) throw new CommandFailure(problem ?? '');
  // Once its data is back there is nothing to be found out any more.
  const isBack = activation.phase === 'Returned';
  const volumes = isBack
    ? []
    : await checkBack(pair, `check-${Date.now()}`, { say: () => undefined, signal });
  const conflicts = await findConflicts(pair, activation.startedAt, signal);
  const ref = { resource: wellKnown.namespaces, name: route.sourceNamespace };
  const home = await pair.source.client.get(ref, { signal });
  const isQuiet = isBack || (running.length === 0 && isHandedOver(home, activation.startedAt));
  around.out(describe(pair, activation.startedAt, { running, conflicts, volumes, isQuiet }));
  if (flags.dryRun) return;
  if (!flags.yes) {
    await confirm(around, `Bring ${route.destinationNamespace} back to ${pair.source.server}?`);
  }
  const result = await failBack(options, activation);
  around.out(table([['not served for', duration(result.downSeconds)]]));
  if (result.fenced.length > 0) {
    around.err(`warning: agents on ${result.fenced.join(', ')} have not confirmed that the fence is open\n`);
  }
  if (result.notFollowing !== undefined) around.err(`warning: ${result.notFollowing}\n`);
  if (result.notUp.length > 0) throw new CommandFailure(`not up at the source: ${result.notUp.join(', ')}`);
}

interface Facts {
  readonly running: readonly Workload[];
  readonly conflicts: readonly Conflict[];
  readonly volumes: readonly VolumeStatus[];
  /** The source can't have written anything that the standby has not. */
  readonly isQuiet: boolean;
}

function describe({ source, remote, route }: Pair, since: string, facts: Facts): string {
  const { running, conflicts, volumes, isQuiet } = facts;
  const lines = [
    `back from ${route.destinationNamespace} on ${remote.server} (active since ${since})`,
    `to ${route.sourceNamespace} on ${source.server}`,
    ...running.map(({ object }) => `stops at the source: ${nameOf(object)}; what it wrote since is replaced`),
    `volumes: ${volumes.map(({ name }) => name).join(', ') || 'none'}; only what differs moves`,
    ...volumes.flatMap((volume) => (isQuiet ? [] : (dataConflict(volume) ?? []))),
    '',
  ];
  if (conflicts.length === 0) return `${lines.join('\n')}no object was changed at the standby\n`;
  const rows = conflicts.map(({ kind, name, what, detail }) => [kind, name, what, detail]);
  return [
    ...lines,
    table([['KIND', 'NAME', 'AT THE STANDBY', 'WHAT'], ...rows]),
    'None of this is written back. The next sync makes the standby as the source is, new objects stay there.\n' +
      'Apply to the source what you want to keep, before you go on.\n',
  ].join('\n');
}
