import type { Replication } from '@dr-syncer/api';
import { isBeingDeleted, wellKnown } from '@dr-syncer/kube';

import type { Cluster } from '../clusters/cluster.js';
import { Engine } from './engine.js';
import type { EngineHub } from './hub.js';
import type { Item } from './ledger.js';
import { checkStandby } from './standby-record.js';
import { SyncPolicy } from './sync-policy.js';

export interface EngineSetup {
  readonly hub: EngineHub;
  readonly source: Cluster;
  readonly remote: Cluster;
  readonly replication: Replication;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
  /** See `ownUids`. */
  readonly ownUids: ReadonlySet<string>;
  readonly watch: boolean;
  /** The token of `dr-syncer.io/confirm-prune` as of now. */
  readonly confirmed: () => string | undefined;
  readonly onChange: () => void;
  /** See `EngineOptions`. */
  readonly repair?: { readonly minMs: number; readonly maxMs: number } | undefined;
}

export interface OpenEngine {
  readonly engine: Engine;
  close(): Promise<void>;
}

/** The engine of one Replication as its spec is now; another spec is another engine. */
export function openEngine(setup: EngineSetup): OpenEngine {
  const { hub, source, remote, replication, sourceNamespace, destinationNamespace } = setup;
  const { spec } = replication;
  const policy = new SyncPolicy(setup);
  const { surroundings, rules } = policy;
  const sourcePorts = hub.acquire(source);
  const remotePorts = hub.acquire(remote);
  const engine = new Engine({
    ...{ sourceNamespace, destinationNamespace, ownUids: setup.ownUids },
    sourceViews: sourcePorts.sourceViews,
    standbyViews: remotePorts.standbyViews,
    writer: policy.writer(remotePorts.writes),
    types: (maxAgeMs, signal) =>
      policy.types(maxAgeMs, (types) => surroundings.bringDefinitions(types, signal), signal),
    guard: (signal) => checkStandby(remote.client, destinationNamespace, signal),
    policy: policy.desired,
    ...{ surroundings, rules },
    prune: {
      rules: spec.prune,
      confirmed: setup.confirmed,
      isGone: (item, signal) => isGone(source, sourceNamespace, item, signal),
    },
    watch: setup.watch,
    onChange: setup.onChange,
    ...(setup.repair && { repair: setup.repair }),
  });
  const listening = setup.watch
    ? [sourcePorts, remotePorts].map((ports) => ports.typeChanges().listen(() => void retype(engine)))
    : [];
  return {
    engine,
    close: async () => {
      for (const stop of listening) stop();
      await engine.close();
      hub.release(source);
      hub.release(remote);
    },
  };
}

/** Many engines hear of the same change. */
const RETYPE_AGE_MS = 300;

/** What fails here is made up for by the next look at the types, which comes by itself. */
async function retype(engine: Engine): Promise<void> {
  await engine.retype(new AbortController().signal, RETYPE_AGE_MS).catch(() => undefined);
}

/**
 * Read from the source now: a namespace that is gone or going takes its objects along, and that is no wish to prune. By
 * a list, as the controller may not "get" whatever there is (manifests/source/rbac.yaml).
 */
async function isGone(
  { client }: Cluster,
  namespace: string,
  { type, name }: Item,
  signal: AbortSignal,
): Promise<boolean> {
  const home = await client.find({ resource: wellKnown.namespaces, name: namespace }, { signal });
  if (home === undefined || isBeingDeleted(home)) return false;
  const { items } = await client.list(type.pair.source, {
    ...{ namespace, signal },
    fieldSelector: `metadata.name=${name}`,
  });
  return items.length === 0;
}
