import { Command } from 'commander';

import { type ClusterFlags, clusterFlags, withCluster } from '../cluster-flags.js';
import { type OutputFlags, outputFlag, serialize } from '../output.js';
import { paintFor } from '../screen.js';
import { look, reportOf, visibleScope } from '../status/report.js';
import { statusText } from '../status/rows.js';
import { watchStatus } from '../status/watch.js';
import type { Surroundings } from '../surroundings.js';

interface Flags extends ClusterFlags, OutputFlags {
  readonly watch?: boolean;
}

export function status(around: Surroundings): Command {
  const command = new Command('status')
    .description('what is replicated, how old each standby is and what runs now')
    .argument('[replication]', 'only this one')
    .option('-w, --watch', 'go on showing what changes');
  return outputFlag(clusterFlags(command))
    .addHelpText(
      'after',
      '\nWithout -n: every namespace, or the one of the context for those who may not see all. RPO is the age of the state\nof the source that a failover would start now. In a remote cluster it shows the standbys that are there.',
    )
    .action((name: string | undefined, flags: Flags) => run(around, name, flags));
}

async function run(around: Surroundings, name: string | undefined, flags: Flags): Promise<void> {
  await withCluster(around, flags, async (cluster, signal) => {
    const wanted = flags.namespace ?? (name === undefined ? undefined : cluster.namespace);
    const namespace = wanted ?? (await visibleScope(cluster, signal));
    if (wanted === undefined && namespace !== undefined) {
      around.err(`note: only namespace ${namespace}: you may not see all\n`);
    }
    const scope = { namespace, name };
    const now = new Date();
    const seen = await look(cluster, scope, now, signal);
    for (const note of seen.notes) around.err(`note: ${note}\n`);
    if (flags.watch === true) {
      await watchStatus(around, cluster, scope, seen, flags.output);
      return;
    }
    const report = reportOf(seen, now);
    if (flags.output !== 'table') {
      around.out(serialize(report, flags.output));
      return;
    }
    const text = statusText(report, now, paintFor(around.outScreen, around));
    around.out(text);
    if (text === '') around.err(`note: no Replication and no standby in ${namespace ?? 'this cluster'}\n`);
  });
}
