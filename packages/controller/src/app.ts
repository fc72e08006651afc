import { randomUUID } from 'node:crypto';

import { DrError, SOURCE_KEY_SECRET } from '@dr-syncer/api';
import {
  type ClusterAccess,
  EventRecorder,
  inClusterAccess,
  KubeClient,
  keyOf,
  type KubeObject,
  Reflector,
  runAsLeader,
  runController,
  wellKnown,
  WorkQueue,
} from '@dr-syncer/kube';
import {
  type HealthCheck,
  type Logger,
  processRegistry,
  serveHealth,
  serveMetrics,
} from '@dr-syncer/runtime';
import type { Registry } from 'prom-client';

import { AgentMetrics } from './clusters/agent-metrics.js';
import type { AgentSettings } from './clusters/agent-objects.js';
import { Cluster } from './clusters/cluster.js';
import { operatorAccess } from './clusters/operator-kubeconfig.js';
import { Relay } from './clusters/reach/relay.js';
import { RemoteClusters } from './clusters/remote-clusters.js';
import { agentEnvironment, type ControllerConfig, moverPolicyOf } from './config.js';
import { remoteClusters, replications } from './custom-resources.js';
import { EngineHub } from './engine/index.js';
import { SyncMetrics } from './metrics.js';
import { ObservedWork } from './observed-work.js';
import { BringUp } from './remote-cluster/bring-up.js';
import { RemoteClusterReconciler } from './remote-cluster/reconciler.js';
import { SecretWatches } from './remote-cluster/secret-watches.js';
import { sourceNamespacesOf, usersOf } from './remote-cluster/users.js';
import { Deletion } from './replication/deletion.js';
import { LiveStandbys } from './replication/live-standbys.js';
import { ReplicationReconciler } from './replication/reconciler.js';
import { SyncRuns } from './replication/sync-runs.js';
import { KeyMaker } from './rotation/key-maker.js';
import { ownerOfKeySecret } from './rotation/key-sharing.js';
import { SourceAgents } from './source-agents.js';
import { volumeServices } from './volumes/volume-services.js';
import { StateMetrics } from './state-metrics.js';
import { version } from './version.js';

const WORKERS = 4;
/** Among the keys of RemoteClusters, which have a slash. */
const SOURCE = 'source';

/** The composition root: everything long-lived is made, wired, started and closed here. Ends with the signal. */
export async function runControllerApp(
  config: ControllerConfig,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const registry = processRegistry();
  const metrics = new SyncMetrics(registry);
  const access = await sourceAccess(config);
  const source = new Cluster(access, (sample) => metrics.request(sample));
  let leading = false;
  const ready: HealthCheck = () =>
    leading || config.LEADER_ELECTION ? { ok: true } : { ok: false, reason: 'not started yet' };
  const observed = new ObservedWork();
  new StateMetrics({
    ...{ registry, version: version() },
    replications: () => observed.replications(),
    remoteClusters: () => observed.remoteClusters(),
    sourceKeys: () => observed.sourceKeys(),
    leading: () => observed.isActive,
    queues: () => observed.queues(),
  });
  const servers = [
    await serveMetrics(
      config.METRICS_PORT,
      new AgentMetrics({ registry, clusters: () => observed.agents(), logger }),
    ),
    await serveHealth(config.HEALTH_PORT, { live: {}, ready: { started: ready } }),
  ];
  const identity = `${config.POD_NAME}_${randomUUID().slice(0, 8)}`;
  const lead = async (leaderSignal: AbortSignal): Promise<void> => {
    leading = true;
    logger.info('leading', { identity });
    await work({ config, access, source, metrics, registry, observed, logger, identity }, leaderSignal);
  };
  try {
    if (!config.LEADER_ELECTION) {
      await lead(signal);
    } else {
      const lease = { namespace: config.POD_NAMESPACE, name: 'dr-syncer-controller', identity };
      await runAsLeader(
        { client: source.client, ...lease, onError: (err) => logger.warn('leader election', { err }) },
        signal,
        lead,
      );
    }
  } catch (err) {
    if (!signal.aborted) throw err;
  } finally {
    await Promise.all(servers.map((server) => server.close()));
    await source.close();
  }
}

async function sourceAccess(config: ControllerConfig): Promise<ClusterAccess> {
  if (config.KUBECONFIG !== undefined) return operatorAccess(config.KUBECONFIG);
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = config;
  return inClusterAccess({ ...(host && { host }), ...(port && { port }) });
}

interface Context {
  readonly config: ControllerConfig;
  readonly access: ClusterAccess;
  readonly source: Cluster;
  readonly metrics: SyncMetrics;
  readonly registry: Registry;
  readonly observed: ObservedWork;
  readonly logger: Logger;
  readonly identity: string;
}

/** What only the leader does. */
async function work(context: Context, signal: AbortSignal): Promise<void> {
  const { config, source, metrics, logger, identity } = context;
  const events = new EventRecorder({
    client: source.client,
    controller: 'dr-syncer.io/controller',
    instance: identity,
  });
  events.start(signal);
  const remotes = new RemoteClusters();
  const clusterMirror = mirror(context, remoteClusters);
  const replicationMirror = mirror(context, replications);
  const clusterQueue = follow(clusterMirror);
  const replicationQueue = follow(replicationMirror);

  const home = { resource: wellKnown.namespaces, name: 'kube-system' };
  const { uid: sourceId = '' } = (await source.client.get(home, { signal })).metadata;
  const relay = new Relay({
    address: config.RELAY_ADDRESS ?? config.POD_IP,
    ports: config.RELAY_PORTS,
    logger,
  });
  const maker = new KeyMaker();
  const sourceAgents = await SourceAgents.open(
    {
      ...{ source, sourceId, relay, maker, events, logger },
      namespace: config.POD_NAMESPACE,
      settings: sourceAgentSettings(config),
      rotationMs: config.SOURCE_KEY_ROTATION_INTERVAL,
    },
    signal,
  );
  context.observed.begin({
    ...{ sourceAgents: sourceAgents.agents, remotes },
    sourceKeys: () => sourceAgents.keys?.sshKey,
    replications: replicationMirror.store,
    remoteClusters: clusterMirror.store,
    queues: { remotecluster: clusterQueue, replication: replicationQueue },
  });
  const hub = new EngineHub({
    onViewError: (resource, err) =>
      logger.warn('objects can not be followed', { resource: resource.plural, err }),
  });
  const live = new LiveStandbys({ logger });
  const volumes = volumeServices({
    ...{ config, source: source.client, sourceId, remotes, registry: context.registry, logger },
    namespacesOf: (remote) => {
      const list = replicationMirror.store.list();
      if (remote === undefined) return sourceNamespacesOf(list);
      return [...new Set(usersOf(remote, list).map((user) => user.namespace))];
    },
  });
  const runs = new SyncRuns({
    ...{ source, sourceId, hub, live, metrics, events, logger },
    sourceAgents: sourceAgents.agents,
    concurrency: config.CONCURRENT_SYNCS,
    volumeServices: volumes,
    policy: moverPolicyOf(config),
    current: (key) => replicationMirror.store.get(key),
    onChange: (key, afterMs) => replicationQueue.addAfter(key, afterMs),
  });
  const users = (key: string) => usersOf(key, replicationMirror.store.list());
  const secretClient = new KubeClient(context.access, { maxWatches: 2000, maxConnections: 4 });
  const watches = new SecretWatches({
    client: secretClient,
    onChange: (key) => (key === SOURCE ? sourceAgents.wake() : clusterQueue.add(key)),
    logger,
  });
  const bringUp = new BringUp({
    ...{ source, registry: remotes, logger, relay, sourceId, maker },
    keyOwner: (object) => ownerOfKeySecret(object, clusterMirror.store.list()),
    tell: (regarding, { type, reason, message }) =>
      events.record({ regarding, type, reason, message, action: 'RotateKeys' }),
    agentImage: config.AGENT_IMAGE,
    agentEnvironment: agentEnvironment(config),
    namespacesOf: (key, spec) => [
      ...new Set(usersOf(key, replicationMirror.store.list(), spec).map((user) => user.namespace)),
    ],
  });
  const clusterReconciler = new RemoteClusterReconciler({
    ...{ source, store: clusterMirror.store, registry: remotes, watches, bringUp, events, logger },
    onChange: (key) => {
      for (const user of users(key)) replicationQueue.add(user.key);
    },
    onRemoval: (key) => {
      for (const user of users(key)) void runs.cancel(user.key);
    },
  });
  const replicationReconciler = new ReplicationReconciler({
    ...{ source, store: replicationMirror.store, clusters: clusterMirror.store },
    ...{ remotes, runs, live, events, logger },
    deletion: new Deletion({ source, remotes, hub, events }),
  });

  watches.start(signal);
  watches.follow(SOURCE, { namespace: config.POD_NAMESPACE, name: SOURCE_KEY_SECRET });
  clusterMirror.start(signal);
  replicationMirror.start(signal);
  await Promise.all([clusterMirror.synced, replicationMirror.synced]);
  const common = {
    workers: WORKERS,
    onReconcile: (sample: Parameters<typeof metrics.reconciled>[0]) => metrics.reconciled(sample),
    onError: (key: string, err: DrError) => logger.warn('reconcile failed', { key, err }),
  };
  try {
    await Promise.all([
      sourceAgents.run(signal),
      volumes.keeper.run(signal),
      runController(
        {
          ...common,
          name: 'remotecluster',
          queue: clusterQueue,
          reconcile: (key, s) => clusterReconciler.reconcile(key, s),
        },
        signal,
      ),
      runController(
        {
          ...common,
          name: 'replication',
          queue: replicationQueue,
          reconcile: (key, s) => replicationReconciler.reconcile(key, s),
        },
        signal,
      ),
    ]);
  } finally {
    context.observed.end();
    const reason: unknown = signal.reason;
    await runs.close(!(reason instanceof DrError && reason.code === 'LeadershipLost'));
    remotes.close();
    sourceAgents.close();
    relay.close();
    await watches.close();
    await secretClient.close();
    await events.close();
  }
}

function mirror({ source, logger }: Context, resource: typeof replications): Reflector {
  return new Reflector({
    client: source.client,
    resource,
    onError: (err) => logger.warn('mirror is behind', { resource: resource.plural, err }),
  });
}

/** A queue that gets the key of every object that is new, changed or gone. */
function follow(reflector: Reflector): WorkQueue {
  const queue = new WorkQueue();
  const add = (object: KubeObject) => queue.add(keyOf(object));
  reflector.subscribe({ added: add, updated: add, deleted: add });
  return queue;
}

function sourceAgentSettings(config: ControllerConfig): AgentSettings {
  return {
    image: config.AGENT_IMAGE,
    kubeletDir: config.SOURCE_KUBELET_DIR,
    hostPathPrefixes: config.SOURCE_HOST_PATH_PREFIXES.split(',').filter(Boolean),
    port: config.SOURCE_AGENT_PORT,
    ...(config.SOURCE_AGENT_PRIORITY_CLASS && { priorityClassName: config.SOURCE_AGENT_PRIORITY_CLASS }),
    environment: agentEnvironment(config),
  };
}
