import { replicationSchema } from '@dr-syncer/api';
import { claimDestination, Cluster, engineFor, EngineHub, type OpenEngine } from '@dr-syncer/controller';
import {
  type KubeObject,
  parseKubeconfig,
  type RequestSample,
  type Resource,
  wellKnown,
} from '@dr-syncer/kube';

import { type ApiServer, startApiServer } from '../../cluster/index.js';
import { eventually } from '../../support/eventually.js';

/** A source and a remote that are API servers and nothing else, with the calls that were made to each. */
export interface TwoApiServers {
  readonly source: Cluster;
  readonly remote: Cluster;
  /** As somebody else: these calls are not counted. */
  readonly sourceUser: Cluster;
  readonly remoteUser: Cluster;
  readonly sourceCalls: RequestSample[];
  readonly remoteCalls: RequestSample[];
  readonly hub: EngineHub;
  readonly sourceServer: ApiServer;
  readonly remoteServer: ApiServer;
  close(): Promise<void>;
}

const isWrite = ({ verb }: RequestSample): boolean => !['get', 'list', 'watch'].includes(verb);

export function writes(calls: readonly RequestSample[]): RequestSample[] {
  return calls.filter(isWrite);
}

export async function startTwoApiServers(): Promise<TwoApiServers> {
  const servers = await Promise.all([startApiServer({ name: 'src' }), startApiServer({ name: 'dst' })]);
  const sourceCalls: RequestSample[] = [];
  const remoteCalls: RequestSample[] = [];
  const source = connect(servers[0], (sample) => sourceCalls.push(sample));
  const remote = connect(servers[1], (sample) => remoteCalls.push(sample));
  const sourceUser = connect(servers[0]);
  const remoteUser = connect(servers[1]);
  const clusters = [source, remote, sourceUser, remoteUser];
  return {
    ...{ source, remote, sourceUser, remoteUser, sourceCalls, remoteCalls },
    ...{ sourceServer: servers[0], remoteServer: servers[1] },
    hub: new EngineHub({ onViewError: () => undefined }),
    close: async () => {
      await Promise.all(clusters.map((cluster) => cluster.close()));
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

function connect(server: ApiServer, onRequest?: (sample: RequestSample) => void): Cluster {
  return new Cluster(parseKubeconfig(server.kubeconfig), onRequest);
}

export interface StandbyOptions {
  readonly spec?: Record<string, unknown>;
  readonly watch?: boolean;
  readonly uid?: string;
  readonly name?: string;
  readonly sourceId?: string;
  readonly remote?: Cluster;
  readonly confirmed?: () => string | undefined;
  readonly onChange?: () => void;
  readonly repair?: { readonly minMs: number; readonly maxMs: number };
}

/** The engine of a Replication of namespace `from` to `to`, claimed as the controller does. */
export async function openStandby(
  { source, remote: theRemote, hub }: Pick<TwoApiServers, 'source' | 'remote' | 'hub'>,
  from: string,
  to: string,
  options: StandbyOptions = {},
): Promise<OpenEngine> {
  const { uid = 'uid-1', name = 'r', sourceId = 'source-1', remote = theRemote } = options;
  const replication = replicationSchema.parse({
    metadata: {
      ...{ name, namespace: 'dr-syncer-system', uid, resourceVersion: '1' },
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { destinationCluster: 'standby', ...options.spec },
  });
  const { signal } = new AbortController();
  const route = { remoteKey: 'dr-syncer-system/standby', sourceNamespace: from, destinationNamespace: to };
  const home = await source.client.get({ resource: wellKnown.namespaces, name: from }, { signal });
  const claimed = await claimDestination(remote, replication, { route, sourceId }, home, signal);
  return engineFor(
    {
      ...{ hub, source, remote, replication, route, sourceId, watch: options.watch ?? false },
      confirmed: options.confirmed ?? (() => undefined),
      onChange: options.onChange ?? (() => undefined),
      repair: options.repair,
    },
    claimed,
  );
}

export async function makeNamespace({ client }: Cluster, name: string): Promise<void> {
  await client.create(wellKnown.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

/** A type is served some time before discovery, by which engines find it, names it. */
export async function untilServed({ client, discovery }: Cluster, type: Resource): Promise<void> {
  await eventually(`${type.plural} to be served`, async () => {
    await discovery.refresh();
    const versions = await discovery.versionsOf(type);
    if (!versions.some(({ version }) => version === type.version)) return undefined;
    return client.list(type).then(
      () => true,
      () => undefined,
    );
  });
}

export function configMap(
  name: string,
  namespace: string,
  data: Record<string, string>,
  metadata: Partial<KubeObject['metadata']> = {},
): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, ...metadata }, data };
}

/** Name and data of each ConfigMap in the namespace, those that every namespace has left out. */
export async function dataOf({ client }: Cluster, namespace: string): Promise<Record<string, unknown>> {
  const { items } = await client.list(wellKnown.configMaps, { namespace });
  const own = items.filter(({ metadata }) => metadata.name !== 'kube-root-ca.crt');
  return Object.fromEntries(own.map((item) => [item.metadata.name, item['data'] ?? {}]));
}

export function deployment(name: string, namespace: string, replicas: number): KubeObject {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace } },
    spec: { replicas, selector: { matchLabels: labels }, template },
  };
}
