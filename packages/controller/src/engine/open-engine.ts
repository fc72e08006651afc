import type { Replication } from '@dr-syncer/api';
import { isBeingDeleted, wellKnown } from '@dr-syncer/kube';

import type { Cluster } from '../clusters/cluster.js';
import { compileDesired } from '../resources/desired.js';
import { Surroundings } from '../resources/cluster-scoped/surroundings.js';
import { namespacesOf } from '../resources/mapping/mappings.js';
import { typeName } from '../resources/type-names.js';
import { immutableActionFor } from '../resources/immutable.js';
import { FactsCache } from '../resources/source-facts.js';
import { requireKnown, selectTypes } from '../resources/selection.js';
import { StorageClasses } from '../resources/storage-classes.js';
import { Engine } from './engine.js';
import type { EngineHub } from './hub.js';
import type { Item } from './ledger.js';
import { checkStandby } from './standby-record.js';
import { pairTypes } from './type-pairs.js';
import { Writer } from './writer.js';

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
  const classes = new StorageClasses(remote.client);
  const facts = new FactsCache(source);
  const route = { sourceNamespace, destinationNamespace };
  const surroundings = new Surroundings({
    ...{ source, remote, sourceNamespace, wanted: spec.clusterResources },
    namespaces: namespacesOf({ spec, ...route }),
  });
  const desiredOf = compileDesired({ replication, ...route, facts: () => facts.current });
  const sourcePorts = hub.acquire(source);
  const remotePorts = hub.acquire(remote);
  const engine = new Engine({
    ...{ sourceNamespace, destinationNamespace, ownUids: setup.ownUids },
    sourceViews: sourcePorts.sourceViews,
    standbyViews: remotePorts.standbyViews,
    writer: new Writer({
      client: remote.client,
      queue: remotePorts.writes,
      conflicts: spec.conflicts,
      check: (object) => classes.check(object),
      immutable: (type) => immutableActionFor(spec.immutableResources, type),
    }),
    types: async (maxAgeMs, signal) => {
      await Promise.all([source, remote].map(({ discovery }) => discovery.refreshIfOlder(maxAgeMs, signal)));
      const selection = await selectTypes(source.discovery, spec, signal);
      requireKnown(selection);
      if (await surroundings.bringDefinitions(selection.types, signal))
        await remote.discovery.refresh(signal);
      const pairs = await pairTypes(selection.types, source.discovery, remote.discovery, signal);
      await facts.refresh(
        pairs.map((pair) => pair.source),
        signal,
      );
      return pairs;
    },
    guard: (signal) => checkStandby(remote.client, destinationNamespace, signal),
    policy: (object, type) => {
      const desired = desiredOf(object, type);
      const key = `${typeName(type.plural, type.group)}/${object.metadata.name}`;
      surroundings.note(key, desired.outcome === 'object' ? desired.object : undefined);
      return desired;
    },
    surroundings,
    rules: { drift: spec.drift, prune: spec.prune.enabled },
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

/** Read from the source now: a namespace that is gone or going takes its objects along, and that is no wish to prune. */
async function isGone(
  { client }: Cluster,
  namespace: string,
  { type, name }: Item,
  signal: AbortSignal,
): Promise<boolean> {
  const home = await client.find({ resource: wellKnown.namespaces, name: namespace }, { signal });
  if (home === undefined || isBeingDeleted(home)) return false;
  return (await client.find({ resource: type.pair.source, namespace, name }, { signal })) === undefined;
}
