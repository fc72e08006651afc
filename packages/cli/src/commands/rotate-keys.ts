import { remoteClusters } from '@dr-syncer/controller';
import { Command, Option } from 'commander';

import { type ClusterFlags, clusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { parseWait } from '../duration.js';
import { CommandFailure, UsageError } from '../failure.js';
import { type OutputFlags, outputFlag, print } from '../output.js';
import type { RotationOrder } from '../rotate/state.js';
import { type KeySubject, remoteSubject, sourceSubject } from '../rotate/subject.js';
import { waitForRotation } from '../rotate/wait.js';
import type { Surroundings } from '../surroundings.js';

interface Flags extends ClusterFlags, OutputFlags {
  readonly all?: boolean;
  readonly source?: boolean;
  readonly only?: 'ssh' | 'host';
  readonly revoke?: boolean;
  readonly wait?: boolean;
  readonly timeout: number;
}

interface Result {
  /** `namespace/name`, or "source". */
  readonly remoteCluster: string;
  readonly result: 'Requested' | 'Rotated' | 'Revoked' | 'Unconfirmed';
  /** Nodes that have not been seen to refuse a revoked key. */
  readonly unconfirmed?: readonly string[];
}

const TIMEOUT_S = 1_800;

export function rotateKeys(around: Surroundings): Command {
  const command = new Command('rotate-keys')
    .description('replace the SSH keys between controller and agents while transfers go on')
    .argument('[remoteclusters...]', 'names of RemoteClusters')
    .option('--all', 'those of every RemoteCluster of the namespace')
    .option('--source', "those of the source's own agents")
    .addOption(
      new Option(
        '--only <keys>',
        "the controller's key (ssh) or the agents' host keys (host); default: both",
      ).choices(['ssh', 'host']),
    )
    .option('--revoke', "have the controller's key refused at once, for one that somebody else may have")
    .option('-w, --wait', 'wait until no agent accepts the old keys any more')
    .addOption(
      new Option('--timeout <time>', 'with --wait: how long it may take (90s, 10m, 2h)')
        .argParser(parseWait)
        .default(TIMEOUT_S, '30m'),
    );
  return outputFlag(clusterFlags(command))
    .addHelpText(
      'after',
      '\nWithout --wait it goes on by itself; `status.sshKey` and `status.hostKeys` of the RemoteCluster say how far it is.\nWith --revoke --wait it waits until every agent has been seen to refuse the old key; when the time is over first, it ends with 1 and names the nodes.',
    )
    .action(async (names: string[], flags: Flags) => {
      const order = orderOf(flags);
      const results = await withCluster(around, flags, async (cluster, signal) => {
        const subjects = await subjectsOf(cluster, names, flags, signal);
        for (const subject of subjects) await subject.ask(order, signal);
        // One text that changes is for one subject; several tell their news line by line.
        const shown = subjects.length === 1 ? around : withoutScreen(around);
        return flags.wait === true
          ? await Promise.all(subjects.map((subject) => follow(shown, subject, order, flags)))
          : subjects.map(({ title }): Result => ({ remoteCluster: title, result: 'Requested' }));
      });
      print(around, flags, { rotations: results }, () => [
        ['REMOTE CLUSTER', 'RESULT', 'NODES'],
        ...results.map((one) => [one.remoteCluster, one.result, (one.unconfirmed ?? []).join(', ')]),
      ]);
      if (results.some(({ result }) => result === 'Unconfirmed')) {
        throw new CommandFailure(
          'the nodes named have not been seen to refuse the revoked key; it goes on by itself',
        );
      }
    });
}

function withoutScreen(around: Surroundings): Surroundings {
  const { env, signal } = around;
  return { env, signal, out: (text) => around.out(text), err: (text) => around.err(text) };
}

function orderOf({ only, revoke }: Flags): RotationOrder {
  if (revoke === true) {
    if (only === 'host')
      throw new UsageError('--revoke is for the key of the controller; use --only ssh or leave it out');
    return { sshKey: 'revoke' };
  }
  return {
    ...(only !== 'host' && { sshKey: 'true' as const }),
    ...(only !== 'ssh' && { hostKeys: 'true' as const }),
  };
}

async function subjectsOf(
  { client, namespace }: PersonsCluster,
  names: readonly string[],
  { all, source }: Flags,
  signal: AbortSignal,
): Promise<KeySubject[]> {
  if (all === true && names.length > 0) throw new UsageError('name RemoteClusters or use --all, not both');
  const wanted =
    all === true
      ? (await client.list(remoteClusters, { namespace, signal })).items.map(({ metadata }) => metadata.name)
      : [...new Set(names)];
  const own = source === true ? [sourceSubject(client)] : [];
  const subjects = [...wanted.map((name) => remoteSubject(client, namespace, name)), ...own];
  if (subjects.length > 0) return subjects;
  if (all === true) throw new CommandFailure(`there is no RemoteCluster in namespace ${namespace}`);
  throw new UsageError('name RemoteClusters, or use --all or --source');
}

async function follow(
  around: Surroundings,
  subject: KeySubject,
  order: RotationOrder,
  { timeout }: Flags,
): Promise<Result> {
  const { unconfirmed } = await waitForRotation(around, subject, order, timeout);
  const remoteCluster = subject.title;
  if (unconfirmed.length > 0) return { remoteCluster, result: 'Unconfirmed', unconfirmed };
  return { remoteCluster, result: order.sshKey === 'revoke' ? 'Revoked' : 'Rotated' };
}
