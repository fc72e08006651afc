import { SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { remoteClusters, replications } from '@dr-syncer/controller';
import { type KubeObject, refOf, type Resource, sleep, wellKnown } from '@dr-syncer/kube';
import { Command, Option } from 'commander';

import { type ClusterFlags, clusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { confirm } from '../confirm.js';
import { parseWait } from '../duration.js';
import { TimeoutFailure, UsageError } from '../failure.js';
import { type Change, deleteOne, FIELD_MANAGER, nameOf, type Target, typed } from '../install/apply.js';
import { bundle } from '../install/bundle.js';
import { remoteObjects } from '../kubeconfig/rbac.js';
import { type OutputFlags, outputFlag, print } from '../output.js';
import type { Surroundings } from '../surroundings.js';
import { installed, type Installed, intention, lastWords, ownObjects } from '../uninstall/plan.js';
import { changeRows } from './install.js';

interface Flags extends ClusterFlags, OutputFlags {
  readonly remoteKubeconfig?: string;
  readonly remoteContext?: string;
  readonly deleteStandbys?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly timeout: number;
}

const LOOK_MS = 1_000;

export function uninstall(around: Surroundings): Command {
  const command = new Command('uninstall')
    .description('remove dr-syncer; standbys and their data stay unless you say otherwise')
    .option(
      '--remote-context <name>',
      'also remove account and namespace of dr-syncer in this remote cluster',
    )
    .option('--remote-kubeconfig <file>', 'kubeconfig with that context (default: yours)')
    .option('--delete-standbys', 'remove the standbys too, with their DATA; one that is active stays')
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'only say what would be removed')
    .addOption(
      new Option('--timeout <time>', 'how long to wait for the controller to clean up')
        .argParser(parseWait)
        .default(300, '5m'),
    );
  return outputFlag(clusterFlags(command))
    .addHelpText(
      'after',
      '\nReplications and RemoteClusters go first, while the controller is there to remove agents, keys and placeholder pods\nfrom the remotes; when that does not end in time, nothing else is removed and this can be run again.',
    )
    .action(async (flags: Flags) => {
      if (flags.namespace !== undefined)
        throw new UsageError(`--namespace has no meaning here: it is ${SYSTEM_NAMESPACE}`);
      const changes = await withCluster(around, flags, (source) => uninstallAll(around, source, flags));
      print(around, flags, { dryRun: flags.dryRun === true, changes }, () => changeRows(changes));
    });
}

async function uninstallAll(around: Surroundings, source: PersonsCluster, flags: Flags): Promise<Change[]> {
  const { signal } = around;
  const dryRun = flags.dryRun === true;
  const present = await installed(source.client, signal);
  const removeStandbys = flags.deleteStandbys === true;
  around.err(
    intention(present, removeStandbys)
      .map((line) => `${line}\n`)
      .join(''),
  );
  if (!dryRun && flags.yes !== true) await confirm(around, `Remove dr-syncer from ${source.server}?`);
  const target: Target = { ...source, cluster: 'source' };
  const changes = await removeWorkObjects(target, present, flags, signal);
  changes.push(
    ...(await removeInstallation(target, [...bundle('source', undefined), ...ownObjects()], dryRun, signal)),
  );
  if (flags.remoteContext === undefined && flags.remoteKubeconfig === undefined) return changes;
  const file = flags.remoteKubeconfig ?? flags.kubeconfig;
  const remoteFlags = {
    ...(file !== undefined && { kubeconfig: file }),
    ...(flags.remoteContext !== undefined && { context: flags.remoteContext }),
  };
  const theirs = await withCluster(around, remoteFlags, (remote) =>
    removeInstallation(
      { ...remote, cluster: 'remote' },
      [...bundle('remote', undefined), ...remoteObjects([]).map(({ object }) => object)],
      dryRun,
      signal,
    ),
  );
  return [...changes, ...theirs];
}

/** Replications, then RemoteClusters, each until the controller has let go of them. */
async function removeWorkObjects(
  target: Target,
  present: Installed,
  { dryRun = false, deleteStandbys = false, timeout }: Flags,
  signal: AbortSignal,
): Promise<Change[]> {
  const changes: Change[] = [];
  const steps: [Resource, readonly KubeObject[]][] = [
    [replications, present.replications],
    [remoteClusters, present.remoteClusters],
  ];
  for (const [resource, objects] of steps) {
    for (const object of objects) {
      if (resource === replications && !dryRun) {
        const body = { spec: lastWords(deleteStandbys) };
        await target.client.patch(refOf(resource, object), body, 'merge', {
          fieldManager: FIELD_MANAGER,
          signal,
        });
        if (deleteStandbys) await finalizerThere(target, object, timeout, signal);
      }
      const change = await deleteOne(target, { resource, object }, dryRun, signal);
      if (change !== undefined) changes.push(change);
    }
    if (!dryRun) await gone(target, resource, objects, timeout, signal);
  }
  return changes;
}

/** The controller has understood that the standby is to go: without its finalizer it would not be asked. */
async function finalizerThere(
  { client }: Target,
  object: KubeObject,
  timeout: number,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + timeout * 1000;
  for (;;) {
    const { metadata } = await client.get(refOf(replications, object), { signal });
    if ((metadata.finalizers ?? []).length > 0) return;
    if (performance.now() > until) {
      throw new TimeoutFailure(
        `the controller does not answer within ${timeout} s; nothing was deleted of ${nameOf(object)}. See "dr-syncer doctor".`,
      );
    }
    await sleep(LOOK_MS, signal);
  }
}

async function gone(
  { client }: Target,
  resource: Resource,
  objects: readonly KubeObject[],
  timeout: number,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + timeout * 1000;
  for (;;) {
    const left: string[] = [];
    for (const object of objects) {
      const present = await client.find(refOf(resource, object), { signal });
      if (present !== undefined) left.push(nameOf(object));
    }
    if (left.length === 0) return;
    if (performance.now() > until) {
      throw new TimeoutFailure(
        `the controller has not let go of ${resource.kind} ${left.join(', ')} within ${timeout} s, so it was not removed itself. See its events; a remote that is gone for good is given up with the annotation dr-syncer.io/abandon-remote=true.`,
      );
    }
    await sleep(LOOK_MS, signal);
  }
}

/** The namespace last: it takes what else is in it along, so it only goes when it is ours. */
async function removeInstallation(
  target: Target,
  objects: readonly KubeObject[],
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Change[]> {
  const ours = await typed(target, objects, signal);
  const changes: Change[] = [];
  const last = ours.filter(({ object }) => object.kind === 'Namespace');
  for (const one of [...ours].reverse()) {
    if (one.object.kind === 'Namespace') continue;
    const change = await deleteOne(target, one, dryRun, signal);
    if (change !== undefined) changes.push(change);
  }
  for (const one of last.slice(0, 1)) {
    const foreign = dryRun ? undefined : await foreignIn(target, signal);
    const { cluster } = target;
    const named = { cluster, kind: 'Namespace', name: nameOf(one.object) };
    if (foreign !== undefined) changes.push({ ...named, change: 'kept', note: foreign });
    else changes.push(...[await deleteOne(target, one, dryRun, signal)].flatMap((change) => change ?? []));
  }
  return changes;
}

/** Why the namespace has to stay; undefined: it need not. */
async function foreignIn({ client }: Target, signal: AbortSignal): Promise<string | undefined> {
  const namespace = await client.find({ resource: wellKnown.namespaces, name: SYSTEM_NAMESPACE }, { signal });
  if (namespace === undefined) return undefined;
  if (namespace.metadata.labels?.['app.kubernetes.io/part-of'] !== 'dr-syncer')
    return 'it was not made by dr-syncer';
  const at = { namespace: SYSTEM_NAMESPACE, signal };
  const pods = await client.list(wellKnown.pods, at);
  const others = pods.items.filter(
    ({ metadata }) => !/^dr-syncer-(agent|controller)/.test(metadata.labels?.['app'] ?? ''),
  );
  const agents = await client.find(
    { resource: wellKnown.daemonSets, namespace: SYSTEM_NAMESPACE, name: 'dr-syncer-agent' },
    { signal },
  );
  if (others.length > 0) return `other pods run there, ${others[0]?.metadata.name ?? ''} for one`;
  return agents === undefined || agents.metadata.deletionTimestamp !== undefined
    ? undefined
    : 'the agents are in use by another RemoteCluster or controller';
}
