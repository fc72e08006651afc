import { SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { kubeToDrError, type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';
import { Command } from 'commander';

import { type ClusterFlags, clusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { openRemotes } from '../doctor/remotes.js';
import { allReplications } from '../doctor/run.js';
import { agentVersions } from '../doctor/checks/conversations.js';
import { controllerSettings } from '../explain/controller-policy.js';
import { type OutputFlags, outputFlag, print } from '../output.js';
import { type RemoteFlags, remoteFlags } from '../remote-access.js';
import type { Surroundings } from '../surroundings.js';
import { programVersion } from '../version.js';

interface Flags extends ClusterFlags, OutputFlags, RemoteFlags {
  readonly client?: boolean;
}

interface Row {
  readonly component: string;
  /** Absent: it could not be asked. */
  readonly version?: string;
  readonly image?: string;
  readonly problem?: string;
}

export function version(around: Surroundings): Command {
  const command = new Command('version')
    .description('of this program, of the controller and of the agents, as they say themselves')
    .option('--client', 'of this program alone; asks no cluster');
  return outputFlag(clusterFlags(remoteFlags(command))).action(async (flags: Flags) => {
    const client: Row = { component: 'client', version: programVersion() };
    const others =
      flags.client === true
        ? []
        : await withCluster(around, flags, (cluster, signal) =>
            installedVersions(around, cluster, flags, signal),
          );
    const rows = [client, ...others];
    print(around, flags, { versions: rows }, () => [
      ['COMPONENT', 'VERSION', 'IMAGE', 'PROBLEM'],
      ...rows.map((row) => [row.component, row.version ?? 'unknown', row.image ?? '', row.problem ?? '']),
    ]);
  });
}

async function installedVersions(
  around: Surroundings,
  { client }: PersonsCluster,
  flags: RemoteFlags,
  signal: AbortSignal,
): Promise<Row[]> {
  const config = await controllerSettings(around, client, signal);
  const opened = await openRemotes(client, flags, [], signal);
  try {
    const context = {
      ...{ client, signal, config, clientVersion: programVersion(), remotes: opened.remotes },
      replications: await allReplications(client, signal),
    };
    const [controller, agents] = await Promise.all([controllerRow(client, signal), agentVersions(context)]);
    return [controller, ...agents];
  } finally {
    await opened.close();
  }
}

interface Workload extends KubeObject {
  readonly spec?: {
    readonly template?: { readonly spec?: { readonly containers?: readonly { readonly image?: string }[] } };
  };
}

/** By the metric `dr_syncer_build_info`, through the API server. */
async function controllerRow(client: KubeClient, signal: AbortSignal): Promise<Row> {
  const component = 'controller';
  const at = { namespace: SYSTEM_NAMESPACE, name: 'dr-syncer-controller' };
  try {
    const deployment = await client.find<Workload>({ resource: wellKnown.deployments, ...at }, { signal });
    if (deployment === undefined) return { component, problem: 'not installed' };
    const image = deployment.spec?.template?.spec?.containers?.[0]?.image ?? '';
    const pods = await client.list(wellKnown.pods, {
      ...at,
      labelSelector: 'app=dr-syncer-controller',
      signal,
    });
    for (const { metadata } of pods.items) {
      const path = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/pods/${metadata.name}:8080/proxy/metrics`;
      const text = await client.raw('GET', path, { accept: 'text/plain', retry: false, signal });
      const found = /^dr_syncer_build_info\{[^}]*version="([^"]+)"/m.exec(String(text))?.[1];
      if (found !== undefined) return { component, version: found, image };
    }
    return { component, image, problem: 'none of its pods says a version' };
  } catch (err) {
    signal.throwIfAborted();
    return { component, problem: kubeToDrError(err).message };
  }
}
