import { Command, InvalidArgumentError } from 'commander';

import { type ClusterFlags, clusterFlags, withCluster } from '../cluster-flags.js';
import { confirm } from '../confirm.js';
import { failOver, oldestState } from '../failover/failover.js';
import type { Inventory } from '../failover/inventory.js';
import { takeInventory } from '../failover/inventory.js';
import { type Finding, findProblems, lookAround } from '../failover/preflight.js';
import { CommandFailure } from '../failure.js';
import { duration } from '../duration.js';
import { type OutputFlags, table } from '../output.js';
import type { Surroundings } from '../surroundings.js';

interface Flags extends ClusterFlags, OutputFlags {
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly timeout: number;
}

const DEFAULT_TIMEOUT_S = 600;

export function failover(around: Surroundings): Command {
  const command = new Command('failover')
    .description('starts a standby: run it against the remote cluster, the source may be gone')
    .option('-y, --yes', 'do not ask', false)
    .option('--dry-run', 'only show what would happen', false)
    .option('--timeout <seconds>', 'how long to wait until everything is up', seconds, DEFAULT_TIMEOUT_S)
    .action(async (flags: Flags) => {
      await withCluster(around, flags, (cluster, signal) => run(around, flags, cluster, signal));
    });
  return clusterFlags(command);
}

async function run(
  around: Surroundings,
  flags: Flags,
  cluster: Parameters<Parameters<typeof withCluster>[2]>[0],
  signal: AbortSignal,
): Promise<void> {
  const { namespace } = cluster;
  const inventory = await takeInventory(cluster, namespace, signal);
  const findings = findProblems(inventory, await lookAround(cluster.client, namespace, signal));
  around.out(describe(cluster.server, namespace, inventory, findings));
  if (flags.dryRun) return;
  if (!flags.yes) await confirm(around, `Start namespace ${namespace} on ${cluster.server}?`);
  const result = await failOver(
    {
      ...{ cluster, namespace, signal, timeoutMs: flags.timeout * 1000 },
      say: (line) => around.err(`${line}\n`),
    },
    inventory,
  );
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

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Use a whole number of seconds.');
  return value;
}
