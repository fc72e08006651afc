import { Command } from 'commander';

import { type ClusterFlags, clusterFlags, kubeconfigFiles } from '../cluster-flags.js';
import { confirm } from '../confirm.js';
import { runCheck } from '../drill/check.js';
import { standbyClaims } from '../drill/claims.js';
import { drill as runDrill } from '../drill/drill.js';
import { drillObjects, type LeftOut } from '../drill/objects.js';
import { described } from '../drill/report.js';
import { removeLeftovers } from '../drill/room.js';
import { parseCidr } from '../drill/cidr.js';
import { activationOf } from '../failover/activation.js';
import { takeInventory } from '../failover/inventory.js';
import { flagsOfRemote, type Pair, type RemoteFlags, remoteFlags, withPair } from '../failover/pair.js';
import { CommandFailure } from '../failure.js';
import { type OutputFlags, outputFlag, serialize, table } from '../output.js';
import type { Surroundings } from '../surroundings.js';
import { secondsOption } from './seconds.js';

interface Flags extends ClusterFlags, RemoteFlags, OutputFlags {
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly cleanUp: boolean;
  readonly jobs: boolean;
  readonly allowEgress: readonly string[];
  readonly storageClass?: string;
  readonly timeout: number;
}

const DEFAULT_TIMEOUT_S = 600;

export function drill(around: Surroundings): Command {
  const command = new Command('drill')
    .description('starts a copy of a standby in a namespace of its own, has it checked and removes it')
    .argument('<replication>', 'name of the Replication; its namespace is --namespace')
    .argument('[check...]', 'after --: a command that says by its exit code whether the copy works')
    .option('-y, --yes', 'do not ask', false)
    .option('--dry-run', 'only show what would be copied', false)
    .option('--clean-up', 'only remove what an interrupted drill has left', false)
    .option('--jobs', 'CronJobs and Jobs run as well', false)
    .option('--allow-egress <cidr>', 'addresses that the copy may reach (can be repeated)', addresses, [])
    .option('--storage-class <name>', "for the copies of the volumes (default: the standby's own)")
    .option('--timeout <seconds>', 'for starting, and for the check', secondsOption, DEFAULT_TIMEOUT_S)
    .action(async (name: string, check: string[], flags: Flags) => {
      await withPair(around, flags, name, (pair, signal) => run(around, flags, pair, check, signal));
    });
  return outputFlag(remoteFlags(clusterFlags(command)));
}

function addresses(text: string, before: readonly string[]): string[] {
  return [...before, parseCidr(text)];
}

async function run(
  around: Surroundings,
  flags: Flags,
  pair: Pair,
  [program, ...args]: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { remote, route, replication, key } = pair;
  const standby = route.destinationNamespace;
  const say = (line: string): void => around.err(`${line}\n`);
  if (flags.cleanUp) {
    const found = await removeLeftovers(standby, { client: remote.client, say, signal });
    if (found === 0) say(`there is nothing left of a drill of ${standby}`);
    return;
  }
  const { namespace } = await takeInventory(remote, standby, signal);
  if (activationOf(namespace) !== undefined) {
    throw new CommandFailure(
      `${standby} is active: the application runs there, and is no standby to rehearse with`,
    );
  }
  if (replication.spec.paused) {
    throw new CommandFailure(
      `Replication ${key} is paused (spec.paused), so its controller copies no volumes`,
    );
  }
  const summary = await foreseen(pair, signal);
  if (flags.dryRun) {
    around.out(summary);
    return;
  }
  say(summary.trimEnd());
  if (!flags.yes) await confirm(around, `Start a copy of ${standby} on ${remote.server}?`);
  const timeoutMs = flags.timeout * 1000;
  const { cluster, user } = remote.entries;
  const files = kubeconfigFiles(around, flagsOfRemote(flags) ?? {});
  const report = await runDrill({
    ...{ pair, signal, timeoutMs, say, jobs: flags.jobs, egress: flags.allowEgress },
    storageClass: flags.storageClass,
    checkName: program === undefined ? undefined : [program, ...args].join(' '),
    check: (of, within) =>
      runCheck(
        {
          ...{ command: [program ?? '', ...args], namespace: of, timeoutMs, env: around.env },
          kubeconfig: { files, cluster, user },
          say: (text) => around.err(text),
        },
        within,
      ),
  });
  around.out(flags.output === 'table' ? described(report) : serialize(report, flags.output));
  if (report.result === 'Failed') throw new CommandFailure(report.problems.join('; '));
}

/** What would be copied and what not. */
async function foreseen({ remote, route }: Pair, signal: AbortSignal): Promise<string> {
  const standby = route.destinationNamespace;
  const [claims, { objects, left }] = await Promise.all([
    standbyClaims(remote.client, standby, signal),
    drillObjects(remote, standby, `${standby}-drill`, signal),
  ]);
  const volumes = claims.map(
    ({ metadata, spec }) => `${metadata.name} ${spec.resources?.requests?.storage ?? ''}`,
  );
  const lines = [
    `a copy of ${standby} on ${remote.server}: ${objects.length} objects`,
    `volumes, which need this room a second time: ${volumes.join(', ') || 'none'}`,
    'Nothing gets in, and nothing out but DNS, as far as the cluster enforces NetworkPolicies.',
  ];
  const rows = (all: readonly LeftOut[]) => all.map(({ kind, name, reason }) => [kind, name, reason]);
  const table_ = left.length === 0 ? '' : `\n${table([['LEFT OUT', 'NAME', 'WHY'], ...rows(left)])}`;
  return `${lines.join('\n')}\n${table_}`;
}
