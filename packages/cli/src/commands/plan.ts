import {
  checkAdmission,
  Cluster,
  parseRemoteCluster,
  parseReplication,
  planSync,
  remoteClusters,
  replications,
  routeOf,
  type SyncPlan,
} from '@dr-syncer/controller';
import type { Replication } from '@dr-syncer/api';
import type { KubeClient } from '@dr-syncer/kube';
import { Command } from 'commander';

import { clusterFlags, type ClusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { CommandFailure, DifferenceFound } from '../failure.js';
import { outputFlag, type OutputFlags, print } from '../output.js';
import { planRows, planSummary } from '../plan/rows.js';
import { remoteAccess, remoteFlags, type RemoteFlags } from '../remote-access.js';
import type { Surroundings } from '../surroundings.js';

type Flags = ClusterFlags & OutputFlags & RemoteFlags;

export function plan(around: Surroundings): Command {
  const command = new Command('plan')
    .description('what a sync of the objects would do now; nothing is changed')
    .argument('<replication>', 'name of the Replication');
  const detail =
    '\nDry runs of the calls that a sync would make; values of Secrets are not shown. Ends with 0 when nothing is to be\ndone and with 4 when something is, or fails or waits.';
  command.addHelpText('after', detail);
  return outputFlag(remoteFlags(clusterFlags(command))).action(async (name: string, flags: Flags) => {
    const result = await withCluster(around, flags, (cluster, signal) =>
      planOf(cluster, name, flags, signal),
    );
    print(around, flags, result, () => planRows(result));
    around.err(`${planSummary(result)}\n`);
    for (const warning of result.warnings) around.err(`warning: ${warning}\n`);
    if (!result.inStep) throw new DifferenceFound();
  });
}

async function planOf(
  cluster: PersonsCluster,
  name: string,
  flags: Flags,
  signal: AbortSignal,
): Promise<SyncPlan> {
  const { client, namespace } = cluster;
  const parsed = parseReplication(await client.get({ resource: replications, namespace, name }, { signal }));
  if (!parsed.ok) throw new CommandFailure(`Replication ${namespace}/${name}: ${parsed.problem}`);
  const replication = parsed.value;
  await refuseStrangers(client, replication, signal);
  const remote = new Cluster(await remoteAccess(client, routeOf(replication).remoteKey, flags, signal));
  try {
    return await planSync({ source: cluster, remote, replication }, signal);
  } finally {
    await remote.close();
  }
}

/** As the controller does before it syncs. Without a RemoteCluster there is nothing that could refuse. */
async function refuseStrangers(
  client: KubeClient,
  replication: Replication,
  signal: AbortSignal,
): Promise<void> {
  const { remoteKey } = routeOf(replication);
  const [namespace = '', name = ''] = remoteKey.split('/');
  const object = await client.find({ resource: remoteClusters, namespace, name }, { signal });
  if (object === undefined) return;
  const parsed = parseRemoteCluster(object);
  if (parsed.ok) checkAdmission(remoteKey, parsed.value.spec, replication);
}
