import { remoteClusters, replications } from '@dr-syncer/controller';
import { isForbidden, isNotFound, type KubeClient, type KubeObject } from '@dr-syncer/kube';

import type { PersonsCluster } from '../cluster-flags.js';
import { CommandFailure } from '../failure.js';
import { visible } from '../visible.js';
import { type StandbyView, standbysOf } from './standbys.js';
import { type RemoteClusterView, remoteClusterView, type ReplicationView, replicationView } from './view.js';

/** All that `status` shows; its JSON. */
export interface StatusReport {
  readonly replications: readonly ReplicationView[];
  readonly remoteClusters: readonly RemoteClusterView[];
  /** Namespaces of this very cluster that are standbys of another one. */
  readonly standbys: readonly StandbyView[];
}

/** The objects behind it. */
export interface Seen {
  readonly replications: readonly KubeObject[];
  readonly remoteClusters: readonly KubeObject[];
  readonly standbys: readonly StandbyView[];
  /** What could not be seen. */
  readonly notes: readonly string[];
}

export interface Scope {
  /** Undefined: all. */
  readonly namespace: string | undefined;
  /** Only this Replication. */
  readonly name: string | undefined;
}

/** @throws KubeError; CommandFailure when the Replication that was named is not there */
export async function look(
  { client }: Pick<PersonsCluster, 'client'>,
  scope: Scope,
  now: Date,
  signal: AbortSignal,
): Promise<Seen> {
  const { namespace, name } = scope;
  const all = await listed(() => client.list(replications, { namespace, signal }));
  if (name === undefined) {
    return {
      replications: all,
      remoteClusters: await listed(() => client.list(remoteClusters, { namespace, signal })),
      ...(await seenStandbys(client, namespace, now, signal)),
    };
  }
  const one = all.filter(({ metadata }) => metadata.name === name);
  if (one.length === 0) throw new CommandFailure(`there is no Replication ${namespace ?? ''}/${name}`);
  return { replications: one, remoteClusters: [], standbys: [], notes: [] };
}

async function seenStandbys(
  client: KubeClient,
  namespace: string | undefined,
  now: Date,
  signal: AbortSignal,
): Promise<Pick<Seen, 'standbys' | 'notes'>> {
  try {
    return { standbys: await standbysOf(client, namespace, now, signal), notes: [] };
  } catch (err) {
    if (!isForbidden(err)) throw err;
    return { standbys: [], notes: ['standbys in this cluster are not shown: you may not read Namespaces'] };
  }
}

/** Nothing where the type is not served: a remote cluster has none of our kinds. */
async function listed(list: () => Promise<{ items: KubeObject[] }>): Promise<KubeObject[]> {
  try {
    return (await list()).items;
  } catch (err) {
    if (isNotFound(err)) return [];
    throw err;
  }
}

/** Pure. */
export function reportOf(seen: Omit<Seen, 'notes'>, now: Date): StatusReport {
  return {
    replications: seen.replications
      .map((object) => replicationView(object, now))
      .sort((a, b) => compare(a.replication, b.replication)),
    remoteClusters: seen.remoteClusters
      .map((object) => remoteClusterView(object))
      .sort((a, b) => compare(a.remoteCluster, b.remoteCluster)),
    standbys: [...seen.standbys].sort((a, b) => compare(a.namespace, b.namespace)),
  };
}

/** Which namespaces a person without `-n` gets to see: all, or their own when they may not see all. */
export async function visibleScope(
  { client, namespace }: Pick<PersonsCluster, 'client' | 'namespace'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  return (await visible(client, replications, undefined, signal)) === 'forbidden' ? namespace : undefined;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
