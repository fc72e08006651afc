import { parseRemoteCluster, remoteClusters } from '@dr-syncer/controller';
import { SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type KubeObject, sleep, wellKnown } from '@dr-syncer/kube';
import { Command, Option } from 'commander';

import { type ClusterFlags, clusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { parseWait } from '../duration.js';
import { TimeoutFailure, UsageError } from '../failure.js';
import { applyAll, type Change, type Target, typed } from '../install/apply.js';
import { bundle, localImages, profiles, withImages } from '../install/bundle.js';
import { connectRemote } from '../install/remote-cluster.js';
import { dnsName, parseDuration, serverOf } from '../kubeconfig/create.js';
import { parseNamespaces } from '../kubeconfig/names.js';
import { remoteObjects } from '../kubeconfig/rbac.js';
import { type OutputFlags, outputFlag, print } from '../output.js';
import type { Surroundings } from '../surroundings.js';

interface Flags extends ClusterFlags, OutputFlags {
  readonly remoteKubeconfig?: string;
  readonly remoteContext?: string;
  readonly name?: string;
  readonly namespaces?: string[];
  readonly server?: string;
  readonly duration: number;
  readonly renew: boolean;
  readonly newKubeconfig?: boolean;
  readonly profile?: string;
  readonly controllerImage?: string;
  readonly agentImage?: string;
  readonly placeholderImage?: string;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout: number;
}

const DAY_S = 86_400;
const LOOK_MS = 1_000;

export function install(around: Surroundings): Command {
  const command = new Command('install')
    .description('install dr-syncer in the source cluster, and connect it with a remote cluster')
    .option(
      '--remote-context <name>',
      'connect this cluster as a remote; without it the source alone is installed',
    )
    .option('--remote-kubeconfig <file>', 'kubeconfig with that context (default: yours)')
    .option('--name <name>', 'of the RemoteCluster (default: the name of the remote context)')
    .option(
      '--namespaces <names>',
      'limit the account in the remote to these (a,b); default: the whole cluster',
      parseNamespaces,
    )
    .option(
      '--server <url>',
      'address of the remote API server as the controller reaches it (default: that of the context)',
    )
    .addOption(
      new Option('--duration <time>', "life of the token in the remote's kubeconfig")
        .argParser(parseDuration)
        .default(30 * DAY_S, '30d'),
    )
    .option('--no-renew', 'do not let the controller renew the token')
    .option('--new-kubeconfig', 'issue another token even if there is a kubeconfig already')
    .option('--profile <name>', `an overlay of the manifests: ${profiles().join(', ') || 'none'}`)
    .option('--controller-image <image>', 'image of the controller')
    .option('--agent-image <image>', 'image of the agents')
    .option('--placeholder-image <image>', 'image of placeholder pods (pause)')
    .option('--dry-run', 'ask the API servers what would change, and change nothing')
    .option('-w, --wait', 'wait until the controller runs and the RemoteCluster is ready')
    .addOption(
      new Option('--timeout <time>', 'with --wait: how long').argParser(parseWait).default(300, '5m'),
    );
  return outputFlag(clusterFlags(command))
    .addHelpText(
      'after',
      '\nRun again it brings what is there up to date. A kubeconfig that is in use and your own fields stay as they are.',
    )
    .action(async (flags: Flags) => {
      if (flags.namespace !== undefined)
        throw new UsageError(`--namespace has no meaning here: it is ${SYSTEM_NAMESPACE}`);
      if (flags.remoteKubeconfig === undefined && flags.remoteContext === undefined) {
        const needless = (['name', 'namespaces', 'server', 'newKubeconfig'] as const).find(
          (one) => flags[one] !== undefined,
        );
        if (needless !== undefined)
          throw new UsageError('options for a remote need --remote-context or --remote-kubeconfig');
      }
      const changes = await withCluster(around, flags, (source) => installAll(around, source, flags));
      print(around, flags, { dryRun: flags.dryRun === true, changes }, () => changeRows(changes));
    });
}

/** For people. */
export function changeRows(changes: readonly Change[]): string[][] {
  return [
    ['CLUSTER', 'CHANGE', 'KIND', 'NAME', 'NOTE'],
    ...changes.map(({ cluster, change, kind, name, note }) => [cluster, change, kind, name, note ?? '']),
  ];
}

async function installAll(around: Surroundings, source: PersonsCluster, flags: Flags): Promise<Change[]> {
  const { signal } = around;
  const dryRun = flags.dryRun === true;
  const images = {
    controller: flags.controllerImage,
    agent: flags.agentImage,
    placeholder: flags.placeholderImage,
  };
  const objects = withImages(bundle('source', flags.profile), images);
  const local = localImages(objects);
  if (local.length > 0)
    around.err(
      `note: ${local.join(', ')} must be on the nodes already, or be named by --controller-image and --agent-image\n`,
    );
  const target: Target = { ...source, cluster: 'source' };
  const ready = await typed(target, objects, signal);
  if (flags.remoteContext === undefined && flags.remoteKubeconfig === undefined) {
    const changes = await applyAll(target, ready, dryRun, signal);
    if (flags.wait === true && !dryRun) await waitUntilWell(source, undefined, flags, signal);
    return changes;
  }
  return withCluster(around, remoteFlags(flags), async (remote) => {
    const name = flags.name ?? dnsName(remote.context);
    // All that can be refused is looked at before the first write.
    serverOf(flags, remote);
    const there: Target = { ...remote, cluster: 'remote' };
    const theirs = await typed(there, remoteBundle(flags), signal);
    const changes = [
      ...(await applyAll(target, ready, dryRun, signal)),
      ...(await applyAll(there, theirs, dryRun, signal)),
      ...(await connectRemote(
        target,
        remote,
        {
          name,
          renew: flags.newKubeconfig === true,
          secret: { ...flags, name: `${name}-kubeconfig`, secretNamespace: SYSTEM_NAMESPACE },
        },
        dryRun,
        signal,
      )),
    ];
    if (flags.wait === true && !dryRun) await waitUntilWell(source, name, flags, signal);
    return changes;
  });
}

/** The person's own kubeconfig again, where none is named for the remote. */
function remoteFlags({ kubeconfig, remoteKubeconfig, remoteContext }: Flags): ClusterFlags {
  const file = remoteKubeconfig ?? kubeconfig;
  return {
    ...(file !== undefined && { kubeconfig: file }),
    ...(remoteContext !== undefined && { context: remoteContext }),
  };
}

function remoteBundle({ namespaces, profile }: Flags): KubeObject[] {
  if (namespaces === undefined) return bundle('remote', profile);
  return remoteObjects(namespaces).map(({ object }) => object);
}

interface Deployment extends KubeObject {
  readonly status?: { readonly availableReplicas?: number; readonly observedGeneration?: number };
}

async function waitUntilWell(
  { client }: PersonsCluster,
  name: string | undefined,
  { timeout }: Flags,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + timeout * 1000;
  for (;;) {
    const obstacle =
      (await controllerObstacle(client, signal)) ?? (await remoteObstacle(client, name, signal));
    if (obstacle === undefined) return;
    if (performance.now() > until) {
      throw new TimeoutFailure(
        `installed, but not well within ${timeout} s: ${obstacle}. "dr-syncer doctor" says more.`,
      );
    }
    await sleep(LOOK_MS, signal);
  }
}

async function controllerObstacle(
  client: PersonsCluster['client'],
  signal: AbortSignal,
): Promise<string | undefined> {
  const ref = { resource: wellKnown.deployments, namespace: SYSTEM_NAMESPACE, name: 'dr-syncer-controller' };
  const { metadata, status } = await client.get<Deployment>(ref, { signal });
  const isRunning =
    (status?.availableReplicas ?? 0) > 0 && status?.observedGeneration === metadata.generation;
  return isRunning ? undefined : 'the controller is not available';
}

async function remoteObstacle(
  client: PersonsCluster['client'],
  name: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (name === undefined) return undefined;
  const object = await client.get(
    { resource: remoteClusters, namespace: SYSTEM_NAMESPACE, name },
    { signal },
  );
  const parsed = parseRemoteCluster(object);
  if (!parsed.ok) return parsed.problem;
  const { phase = 'Pending', conditions = [] } = parsed.value.status ?? {};
  if (phase === 'Ready') return undefined;
  const ready = conditions.find(({ type }) => type === 'Ready');
  return `RemoteCluster ${name} is ${phase}${ready === undefined ? '' : `, ${ready.reason}: ${ready.message}`}`;
}
