import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { Cluster, operatorContext } from '@dr-syncer/controller';
import type { Command } from 'commander';

import { CommandFailure } from './failure.js';
import type { Surroundings } from './surroundings.js';

/** Options by which a person says which cluster is meant: those of kubectl. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

/** A cluster as the person who typed the command may use it. */
export interface PersonsCluster extends Pick<Cluster, 'client' | 'discovery'> {
  readonly context: string;
  readonly server: string;
  /** Names of the context's entries in the kubeconfig. */
  readonly entries: { readonly cluster: string; readonly user: string };
  /** PEM, for a kubeconfig that is made from this one. */
  readonly ca: string | undefined;
  readonly tlsServerName: string | undefined;
  /** `--namespace`, else the context's, else "default". */
  readonly namespace: string;
}

/** Adds the options to a command. */
export function clusterFlags(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'your kubeconfig (default: $KUBECONFIG, else ~/.kube/config)')
    .option('--context <name>', 'context in it (default: the current one)')
    .option('-n, --namespace <name>', "namespace (default: the context's)");
}

/**
 * Runs `work` with the cluster that the flags name and closes its connections afterwards.
 *
 * @throws CommandFailure without a kubeconfig; DrError KubeconfigRefused; whatever `work` throws
 */
export async function withCluster<T>(
  around: Surroundings,
  flags: ClusterFlags,
  work: (cluster: PersonsCluster, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { access, context, entries, namespace } = await operatorContext(
    kubeconfigFiles(around, flags),
    flags.context,
  );
  const cluster = new Cluster(access);
  // Each call under way listens; Node.js would take more than ten for a leak.
  setMaxListeners(0, around.signal);
  try {
    return await work(
      {
        client: cluster.client,
        discovery: cluster.discovery,
        context,
        server: access.server,
        entries,
        ca: access.ca,
        tlsServerName: access.tlsServerName,
        namespace: flags.namespace ?? namespace ?? 'default',
      },
      around.signal,
    );
  } finally {
    await cluster.close();
  }
}

/** As kubectl looks for them: the flag alone, else those of KUBECONFIG that exist, else the one at home. */
export function kubeconfigFiles({ env }: Surroundings, { kubeconfig }: ClusterFlags): string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  const { KUBECONFIG, HOME } = env;
  const named = (KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
  const candidates = named.length > 0 ? named : HOME === undefined ? [] : [join(HOME, '.kube', 'config')];
  const files = candidates.filter((path) => existsSync(path));
  if (files.length > 0) return files;
  throw new CommandFailure(
    `no kubeconfig: ${candidates.join(', ') || '$HOME/.kube/config'} does not exist; use --kubeconfig`,
  );
}
