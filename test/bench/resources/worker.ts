import { readFileSync } from 'node:fs';
import process from 'node:process';

import { replicationSchema } from '@dr-syncer/api';
import { claimDestination, Cluster, engineFor, EngineHub, type OpenEngine } from '@dr-syncer/controller';
import { type KubeObject, parseKubeconfig, type RequestSample, wellKnown } from '@dr-syncer/kube';

import { inParallel, makeNamespace, objectOf } from './load.js';

/**
 * One side of the bench, in a process of its own, so that its memory and time are its own. Messages come over IPC:
 * node worker.js SOURCE-KUBECONFIG REMOTE-KUBECONFIG
 */
export type Command =
  /** Applies the load to the namespace in a bare loop. */
  | { readonly do: 'peer'; readonly to: string; readonly count: number; readonly concurrency: number }
  /** Brings the namespace over, and stays with it if `watch`. */
  | { readonly do: 'ours'; readonly from: string; readonly to: string; readonly watch: boolean }
  /** Compares everything that is followed. */
  | { readonly do: 'compare' }
  | { readonly do: 'usage' };

export interface Answer {
  readonly seconds: number;
  readonly written: number;
  readonly failed: number;
  /** Of the process, since it was started. */
  readonly cpuSeconds: number;
  readonly rssMiB: number;
  readonly peakMiB: number;
  /** Calls that change something, at both ends, since the process was started. */
  readonly writes: number;
}

const { signal } = new AbortController();
let writes = 0;
const count = ({ verb }: RequestSample): void => {
  if (!['get', 'list', 'watch'].includes(verb)) writes += 1;
};
const [, , sourceFile = '', remoteFile = ''] = process.argv;
const connect = (file: string): Cluster => new Cluster(parseKubeconfig(readFileSync(file)), count);
const source = connect(sourceFile);
const remote = connect(remoteFile);
const hub = new EngineHub({ onViewError: (_resource, err) => console.error(err) });
let following: OpenEngine | undefined;

async function peer({ to, count: objects, concurrency }: Command & { do: 'peer' }): Promise<Partial<Answer>> {
  await makeNamespace(remote.client, to);
  const load = Array.from({ length: objects }, (_one, i) => objectOf(i, to));
  const begun = performance.now();
  await inParallel(objects, concurrency, async (i) => {
    const [resource, object] = load[i] ?? objectOf(i, to);
    await remote.client.apply(resource, object, { fieldManager: 'bare-loop', force: true });
  });
  return { seconds: (performance.now() - begun) / 1000, written: objects };
}

async function ours({ from, to, watch }: Command & { do: 'ours' }): Promise<Partial<Answer>> {
  const begun = performance.now();
  const replication = replicationSchema.parse({
    metadata: {
      ...{ name: 'bench', namespace: 'dr-syncer-system', uid: `uid-${to}`, resourceVersion: '1' },
      creationTimestamp: new Date().toISOString(),
    },
    spec: { destinationCluster: 'standby' },
  });
  const route = { remoteKey: 'dr-syncer-system/standby', sourceNamespace: from, destinationNamespace: to };
  const home: KubeObject = await source.client.get({ resource: wellKnown.namespaces, name: from });
  const setup = { hub, source, remote, replication, route, sourceId: 'source', watch };
  const claimed = await claimDestination(remote, replication, setup, home, signal);
  const open = engineFor({ ...setup, confirmed: () => undefined, onChange: () => undefined }, claimed);
  await open.engine.pass(signal);
  const { applied, failed } = open.engine.tally.stats();
  if (watch) following = open;
  else await open.close();
  return { seconds: (performance.now() - begun) / 1000, written: applied, failed };
}

async function compare(): Promise<Partial<Answer>> {
  const begun = performance.now();
  await following?.engine.pass(signal);
  const { applied = 0, failed = 0 } = following?.engine.tally.stats() ?? {};
  return { seconds: (performance.now() - begun) / 1000, written: applied, failed };
}

function answer(result: Partial<Answer>): Answer {
  const { user, system } = process.cpuUsage();
  const MiB = 2 ** 20;
  return {
    ...{ seconds: 0, written: 0, failed: 0, cpuSeconds: (user + system) / 1e6, writes },
    ...{ rssMiB: process.memoryUsage.rss() / MiB, peakMiB: process.resourceUsage().maxRSS / 1024 },
    ...result,
  };
}

function run(command: Command): Promise<Partial<Answer>> {
  switch (command.do) {
    case 'peer':
      return peer(command);
    case 'ours':
      return ours(command);
    case 'compare':
      return compare();
    case 'usage':
      return Promise.resolve({});
  }
}

process.on('message', (command: Command) => {
  run(command).then(
    (result) => process.send?.(answer(result)),
    (err: unknown) => process.send?.({ error: err instanceof Error ? err.message : String(err) }),
  );
});
