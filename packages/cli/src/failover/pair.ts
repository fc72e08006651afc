import { type Replication } from '@dr-syncer/api';
import { parseReplication, recordOf, replications, type Route, routeOf } from '@dr-syncer/controller';
import { type KubeObject, type ObjectRef, wellKnown } from '@dr-syncer/kube';
import type { Command } from 'commander';

import { type ClusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { CommandFailure, UsageError } from '../failure.js';
import type { Surroundings } from '../surroundings.js';

/** Options by which a person says where the standby is, beside those of the source. */
export interface RemoteFlags {
  readonly remoteKubeconfig?: string;
  readonly remoteContext?: string;
}

export function remoteFlags(command: Command): Command {
  return command
    .option('--remote-kubeconfig <file>', 'kubeconfig of the cluster of the standby')
    .option('--remote-context <name>', 'context of the cluster of the standby');
}

/** A Replication and both of its ends, as the person who typed the command may use them. */
export interface Pair {
  readonly source: PersonsCluster;
  readonly remote: PersonsCluster;
  readonly ref: ObjectRef;
  /** `namespace/name` of the Replication. */
  readonly key: string;
  readonly replication: Replication;
  readonly route: Route;
}

/** The flags of the standby's cluster as if they were those of a command for one cluster. */
export function flagsOfRemote(
  flags: ClusterFlags & RemoteFlags,
): { kubeconfig?: string; context?: string } | undefined {
  const { remoteKubeconfig: kubeconfig, remoteContext: context } = flags;
  if (kubeconfig === undefined && context === undefined) return undefined;
  // A context alone is one of the kubeconfig that is used anyway.
  const file = kubeconfig ?? flags.kubeconfig;
  return { ...(file !== undefined && { kubeconfig: file }), ...(context !== undefined && { context }) };
}

/**
 * Opens both clusters and makes sure that they belong together: the record on the standby's namespace names this source
 * and this Replication.
 *
 * @throws UsageError, CommandFailure; DrError of the Replication's route; KubeError
 */
export async function withPair(
  around: Surroundings,
  flags: ClusterFlags & RemoteFlags,
  name: string,
  work: (pair: Pair, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const ofRemote = flagsOfRemote(flags);
  if (ofRemote === undefined) {
    throw new UsageError('say where the standby is: --remote-kubeconfig or --remote-context');
  }
  await withCluster(around, flags, (source, signal) =>
    withCluster(around, ofRemote, async (remote) => {
      const pair = await pairOf(source, remote, name, signal);
      await work(pair, signal);
    }),
  );
}

async function pairOf(
  source: PersonsCluster,
  remote: PersonsCluster,
  name: string,
  signal: AbortSignal,
): Promise<Pair> {
  const key = `${source.namespace}/${name}`;
  const ref = { resource: replications, namespace: source.namespace, name };
  const found = await source.client.find(ref, { signal });
  if (found === undefined) throw new CommandFailure(`there is no Replication ${key} on ${source.server}`);
  const parsed = parseReplication(found);
  if (!parsed.ok) throw new CommandFailure(`Replication ${key} can't be read: ${parsed.problem}`);
  const route = routeOf(parsed.value);
  const [home, standby] = await Promise.all([
    source.client.get({ resource: wellKnown.namespaces, name: 'kube-system' }, { signal }),
    remote.client.find({ resource: wellKnown.namespaces, name: route.destinationNamespace }, { signal }),
  ]);
  const problem = mismatch(standby, { key, route, sourceId: home.metadata.uid ?? '' });
  if (problem !== undefined) throw new CommandFailure(`${problem} (looked for on ${remote.server})`);
  return { source, remote, ref, key, replication: parsed.value, route };
}

/** Why a namespace is not the standby of a Replication; undefined: it is. Pure. */
export function mismatch(
  standby: KubeObject | undefined,
  { key, route, sourceId }: Pick<Pair, 'key' | 'route'> & { readonly sourceId: string },
): string | undefined {
  const name = route.destinationNamespace;
  if (standby === undefined) return `there is no namespace ${name} in the cluster of the standby`;
  const record = recordOf(standby);
  if (record === undefined) return `namespace ${name} is no standby: DR-Syncer has left no record on it`;
  if (record.cluster !== sourceId) return `namespace ${name} is the standby of another cluster`;
  if (record.namespace !== route.sourceNamespace || record.replications[key] === undefined) {
    return `namespace ${name} is not the standby of Replication ${key}`;
  }
  return undefined;
}
