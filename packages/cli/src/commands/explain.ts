import {
  Cluster,
  explainIdentities,
  parseReplication,
  replications,
  routeOf,
  type VolumeExplanation,
} from '@dr-syncer/controller';
import { Command } from 'commander';

import { clusterFlags, type ClusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { controllerPolicy } from '../explain/controller-policy.js';
import { identityRows } from '../explain/identity-rows.js';
import { CommandFailure } from '../failure.js';
import { outputFlag, type OutputFlags, print } from '../output.js';
import { remoteAccess, remoteFlags, type RemoteFlags } from '../remote-access.js';
import type { Surroundings } from '../surroundings.js';

type Flags = ClusterFlags & OutputFlags & RemoteFlags;

export function explain(around: Surroundings): Command {
  return new Command('explain').description('why something is as it is').addCommand(identityCommand(around));
}

function identityCommand(around: Surroundings): Command {
  const command = new Command('identity')
    .description('what the transfers of a Replication would run as now, and where each value comes from')
    .argument('<replication>', 'name of the Replication');
  return outputFlag(remoteFlags(clusterFlags(command))).action(async (name: string, flags: Flags) => {
    const volumes = await withCluster(around, flags, (cluster, signal) =>
      explainReplication(around, cluster, name, flags, signal),
    );
    print(around, flags, { volumes }, () => identityRows(volumes));
    if (volumes.length === 0) around.err('note: the Replication selects no claim\n');
    // The answer is no.
    if (volumes.some(({ refusals }) => refusals.length > 0)) throw new CommandFailure('');
  });
}

async function explainReplication(
  around: Surroundings,
  cluster: PersonsCluster,
  name: string,
  flags: Flags,
  signal: AbortSignal,
): Promise<VolumeExplanation[]> {
  const { client, namespace } = cluster;
  const parsed = parseReplication(await client.get({ resource: replications, namespace, name }, { signal }));
  if (!parsed.ok) throw new CommandFailure(`Replication ${namespace}/${name}: ${parsed.problem}`);
  const replication = parsed.value;
  const { remoteKey, sourceNamespace, destinationNamespace } = routeOf(replication);
  const policy = await controllerPolicy(around, client, signal);
  const remote = new Cluster(await remoteAccess(client, remoteKey, flags, signal));
  try {
    return await explainIdentities(
      {
        ...{ replication, sourceNamespace, destinationNamespace, policy },
        source: cluster,
        destination: remote.client,
      },
      signal,
    );
  } finally {
    await remote.close();
  }
}
