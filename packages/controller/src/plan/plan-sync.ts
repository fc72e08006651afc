import { annotation, isErrorCode, type Replication } from '@dr-syncer/api';
import { wellKnown } from '@dr-syncer/kube';

import type { ClusterView } from '../clusters/cluster.js';
import { confirmedToken } from '../custom-resources.js';
import { ownUids, recordOf, refuseActive, withClaimant } from '../engine/standby-record.js';
import { sourceTransform, standbyTransform } from '../engine/snapshots.js';
import { SyncPolicy } from '../engine/sync-policy.js';
import { Tally } from '../engine/tally.js';
import type { TypePair } from '../engine/type-pairs.js';
import { Types } from '../engine/types.js';
import { Views } from '../engine/views.js';
import { WriteQueue } from '../engine/write-queue.js';
import { type Route, routeOf } from '../replication/rules.js';
import { findSourceNamespace } from '../replication/source-namespace.js';
import { desiredNamespace } from '../resources/cluster-scoped/namespace-metadata.js';
import { decideNamespace, refuseDestination } from '../resources/namespace.js';
import { claimsWithData } from '../volumes/selected-claims.js';
import { Planner, type PlannedObjects } from './planner.js';
import { isInStep, type PlannedObject, type SyncPlan } from './sync-plan.js';

export interface PlanSetup {
  readonly source: ClusterView;
  readonly remote: ClusterView;
  readonly replication: Replication;
}

/** The destination namespace as a sync would find it. */
interface Destination {
  readonly planned: readonly PlannedObject[];
  readonly isNew: boolean;
  readonly ownUids: ReadonlySet<string>;
}

/**
 * What a sync of the objects would do if it began now. Nothing is changed at either end: the destination is asked by
 * dry runs of the very calls that a sync makes, which takes the same rights.
 *
 * @throws DrError where a sync could not even begin: NamespaceNotAllowed, DestinationOwned, StandbyActive,
 *   UnknownResourceType, TransformInvalid, SourceNamespaceNotFound; KubeError
 */
export async function planSync(setup: PlanSetup, signal: AbortSignal): Promise<SyncPlan> {
  const { source, replication } = setup;
  const { metadata, spec } = replication;
  const route = routeOf(replication);
  const { sourceNamespace, destinationNamespace } = route;
  const destination = await lookAtDestination(setup, route, signal);
  const policy = new SyncPolicy({ ...setup, sourceNamespace, destinationNamespace });
  const { definitions, pairs } = await typesOf(policy, signal);
  const { objects, unchanged } = await planObjects(
    setup,
    route,
    policy,
    pairs,
    destination,
    definitions,
    signal,
  );
  const volumes = await claimsWithData(source, sourceNamespace, spec, signal);
  const all = [...destination.planned, ...definitionsOf(definitions), ...objects];
  const classes = spec.clusterResources.checkClasses ? policy.surroundings.condition() : undefined;
  return {
    ...{ replication: `${metadata.namespace}/${metadata.name}`, sourceNamespace, destinationNamespace },
    ...{ inStep: isInStep(all), unchanged, objects: all, volumes },
    warnings: [
      ...(spec.paused ? ['the Replication is paused: nothing is synced until spec.paused is false'] : []),
      ...(classes !== undefined && classes.status !== 'True' ? [classes.message] : []),
    ],
  };
}

async function lookAtDestination(
  { source, remote, replication }: PlanSetup,
  { sourceNamespace, destinationNamespace: name }: Route,
  signal: AbortSignal,
): Promise<Destination> {
  const { metadata, spec } = replication;
  refuseDestination(name);
  const [home, system, present] = await Promise.all([
    findSourceNamespace(source.client, sourceNamespace, signal),
    source.client.get({ resource: wellKnown.namespaces, name: 'kube-system' }, { signal }),
    remote.client.find({ resource: wellKnown.namespaces, name }, { signal }),
  ]);
  if (present !== undefined) refuseActive(present);
  const claimant = {
    ...{ sourceCluster: system.metadata.uid ?? '', sourceNamespace, uid: metadata.uid },
    replication: `${metadata.namespace}/${metadata.name}`,
  };
  const before = present && recordOf(present);
  const record = withClaimant(before, claimant, name);
  const decision = decideNamespace(present, desiredNamespace(home, name, spec.clusterResources));
  const planned: PlannedObject[] = [];
  const entry = { kind: 'Namespace', type: 'namespaces', name };
  if (decision !== 'leave') planned.push({ action: decision, ...entry });
  else if (record !== before) {
    planned.push({ action: 'update', ...entry, reason: `it is claimed (annotation ${annotation.standby})` });
  }
  return { planned, isNew: present === undefined, ownUids: ownUids(record, claimant) };
}

type Definitions = Awaited<ReturnType<SyncPolicy['surroundings']['planDefinitions']>>;

async function typesOf(
  policy: SyncPolicy,
  signal: AbortSignal,
): Promise<{ definitions: Definitions; pairs: readonly TypePair[] }> {
  let definitions: Definitions = new Map();
  const prepare: Parameters<SyncPolicy['types']>[1] = async (types) => {
    definitions = await policy.surroundings.planDefinitions(types, signal);
    return false;
  };
  const pairs = await policy.types(0, prepare, signal);
  return { definitions, pairs };
}

function definitionsOf(definitions: Definitions): PlannedObject[] {
  const entry = { kind: 'CustomResourceDefinition', type: 'customresourcedefinitions.apiextensions.k8s.io' };
  return [...definitions].map(([name, action]) => ({ action, ...entry, name }));
}

async function planObjects(
  { source, remote, replication }: PlanSetup,
  { sourceNamespace, destinationNamespace }: Route,
  policy: SyncPolicy,
  pairs: readonly TypePair[],
  destination: Destination,
  definitions: Definitions,
  signal: AbortSignal,
): Promise<PlannedObjects> {
  const { spec } = replication;
  const troubles = new Tally();
  const ignore = (): void => undefined;
  const types = new Types({
    ...{ sourceNamespace, destinationNamespace, signal, tally: troubles, watch: false },
    sourceViews: new Views({ client: source.client, transform: sourceTransform, onError: ignore }),
    standbyViews: new Views({ client: remote.client, transform: standbyTransform, onError: ignore }),
    always: policy.rules.prune,
    ...{ onEvent: ignore, onListed: ignore, onReady: ignore, onClosed: ignore, onChange: ignore },
  });
  const queue = new WriteQueue();
  try {
    types.set(pairs);
    await types.opened();
    const planner = new Planner({
      ...{ policy, remote, sourceNamespace, destinationNamespace, prune: spec.prune },
      writer: policy.writer(queue, true),
      ownUids: destination.ownUids,
      confirmed: confirmedToken(replication),
      isNewNamespace: destination.isNew,
      definitions: new Set(definitions.keys()),
    });
    const open = [...types.values()].sort((a, b) => a.rank - b.rank || a.key.localeCompare(b.key));
    const planned = await planner.plan(
      open.filter(({ ready }) => ready),
      signal,
    );
    await policy.surroundings.checkClasses((key) => planner.has(key), signal);
    return { ...planned, objects: [...failedTypes(troubles), ...planned.objects] };
  } finally {
    types.close();
    queue.close();
  }
}

/** Types that could not be listed: of them nothing is known. */
function failedTypes(troubles: Tally): PlannedObject[] {
  return troubles.byKind().flatMap(({ kind, failures = [] }) =>
    failures.map(({ message, reason }) => ({
      ...{ action: 'fail' as const, kind, type: kind, name: '*', reason: message },
      ...(isErrorCode(reason) && { code: reason }),
    })),
  );
}
