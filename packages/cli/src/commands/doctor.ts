import { Command } from 'commander';

import { type ClusterFlags, clusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { type DoctorContext } from '../doctor/context.js';
import type { Finding, Severity } from '../doctor/problems.js';
import { openRemotes } from '../doctor/remotes.js';
import { allReplications, runChecks } from '../doctor/run.js';
import { controllerSettings } from '../explain/controller-policy.js';
import type { RemoteFlags } from '../remote-access.js';
import { CommandFailure } from '../failure.js';
import { type OutputFlags, outputFlag, printable, serialize } from '../output.js';
import { type Colour, type Paint, paintFor } from '../screen.js';
import type { Surroundings } from '../surroundings.js';
import { programVersion } from '../version.js';

interface Flags extends ClusterFlags, OutputFlags, RemoteFlags {
  readonly all?: boolean;
}

const colours: Readonly<Record<Severity, Colour>> = {
  ...{ error: 'red', warning: 'yellow', note: 'cyan', unknown: 'yellow', ok: 'green' },
};
const order: readonly Severity[] = ['error', 'warning', 'unknown', 'note', 'ok'];

export function doctor(around: Surroundings): Command {
  const command = new Command('doctor')
    .description('look at both clusters and say what is wrong, and what to do about it')
    .argument('[remoteclusters...]', 'only these RemoteClusters; default: all')
    .option('--remote-kubeconfig <file>', "kubeconfig for the remote cluster (default: the RemoteCluster's)")
    .option('--remote-context <name>', 'context in it (default: the current one)')
    .option('-a, --all', 'show what is well, too');
  return outputFlag(clusterFlags(command))
    .addHelpText(
      'after',
      "\nRun it with an administrator's credentials for the source cluster. It makes and changes nothing. What it may not see\nis listed as unknown. Ends with 1 when there is a finding of severity error.",
    )
    .action(async (names: string[], flags: Flags) => {
      const findings = await withCluster(around, flags, (cluster, signal) =>
        examine(around, cluster, names, flags, signal),
      );
      const errors = findings.filter(({ severity }) => severity === 'error').length;
      if (flags.output === 'table') {
        around.out(findingsText(findings, flags.all === true, paintFor(around.outScreen, around)));
      } else {
        around.out(serialize({ healthy: errors === 0, findings }, flags.output));
      }
      if (errors > 0) throw new CommandFailure('');
    });
}

async function examine(
  around: Surroundings,
  { client }: PersonsCluster,
  names: readonly string[],
  flags: RemoteFlags,
  signal: AbortSignal,
): Promise<Finding[]> {
  const config = await controllerSettings(around, client, signal);
  const opened = await openRemotes(client, flags, names, signal);
  try {
    const context: DoctorContext = {
      ...{ client, signal, config, clientVersion: programVersion() },
      remotes: opened.remotes,
      replications: await allReplications(client, signal),
    };
    const findings = [...opened.findings, ...(await runChecks(context))];
    return findings.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  } finally {
    await opened.close();
  }
}

function findingsText(findings: readonly Finding[], all: boolean, paint: Paint): string {
  const shown = findings.filter(({ severity }) => all || severity !== 'ok');
  const blocks = shown.map(({ severity, code, subject, message, remedy, check }) => {
    const head = `${paint(severity.padEnd(7), colours[severity])}  ${code ?? check}  ${printable(subject)}`;
    const lines = [
      head,
      `         ${printable(message)}`,
      ...(remedy === undefined ? [] : [`         -> ${remedy}`]),
    ];
    return `${lines.join('\n')}\n`;
  });
  const counts = order.map((severity) => {
    const count = findings.filter((one) => one.severity === severity).length;
    return `${count} ${severity === 'ok' ? 'well' : severity}`;
  });
  return `${blocks.join('\n')}${blocks.length > 0 ? '\n' : ''}${counts.join(', ')}\n`;
}
