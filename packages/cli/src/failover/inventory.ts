import { label } from '@dr-syncer/api';
import {
  activationPatch,
  canRun,
  type LastSync,
  recordOf,
  type ScalePaths,
  sourceFacts,
} from '@dr-syncer/controller';
import { type ApiResource, type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import type { PersonsCluster } from '../cluster-flags.js';
import { CommandFailure } from '../failure.js';
import { type Activation, activationOf } from './activation.js';
import { readLastSyncs } from './last-sync.js';
import type { StandbyObject } from './workloads.js';

export interface ClaimView {
  readonly name: string;
  readonly phase: string;
  readonly volume: string | undefined;
  readonly storageClass: string | undefined;
}

/** Everything in a standby namespace that a failover looks at. */
export interface Inventory {
  readonly namespace: KubeObject;
  readonly activation: Activation | undefined;
  /** By `namespace/name` of the Replication. */
  readonly lastSyncs: ReadonlyMap<string, LastSync>;
  /** Objects that DR-Syncer brought. */
  readonly objects: readonly KubeObject[];
  /** Those of them that can run. */
  readonly runnable: readonly StandbyObject[];
  readonly claims: readonly ClaimView[];
  readonly placeholders: readonly KubeObject[];
}

type Reader = Pick<PersonsCluster, 'client' | 'discovery'>;

const LISTS_AT_A_TIME = 8;
const OURS = `${label.managedBy}=dr-syncer`;

/** @throws CommandFailure when there is no standby of that name; KubeError */
export async function takeInventory(cluster: Reader, name: string, signal: AbortSignal): Promise<Inventory> {
  const { client, discovery } = cluster;
  const namespace = await client.find({ resource: wellKnown.namespaces, name }, { signal });
  if (namespace === undefined) throw new CommandFailure(`there is no namespace ${name} in this cluster`);
  if (recordOf(namespace) === undefined) {
    throw new CommandFailure(
      `namespace ${name} is no standby: DR-Syncer has left no record on it. Is this the remote cluster?`,
    );
  }
  const types = await discovery.resources({ namespaced: true, verbs: ['list'] }, signal);
  const { scalePaths } = await sourceFacts(cluster, types, signal);
  const found = await listOurs(client, types, name, signal);
  return {
    namespace,
    activation: activationOf(namespace),
    lastSyncs: await readLastSyncs(client, name, signal),
    objects: found.map(({ object }) => object),
    runnable: found
      .filter(({ object }) => canRun(object, scalePaths))
      .map((one) => withPatch(one, scalePaths)),
    claims: await listClaims(client, name, signal),
    placeholders: await listPlaceholders(client, name, signal),
  };
}

type Found = Pick<StandbyObject, 'resource' | 'object'>;

function withPatch({ resource, object }: Found, scalePaths: ScalePaths): StandbyObject {
  return { resource, object, patch: activationPatch(object, scalePaths) };
}

async function listOurs(
  client: KubeClient,
  types: readonly ApiResource[],
  namespace: string,
  signal: AbortSignal,
): Promise<Found[]> {
  const found: Found[] = [];
  const waiting = [...types];
  const work = async (): Promise<void> => {
    for (let resource = waiting.pop(); resource !== undefined; resource = waiting.pop()) {
      const type = resource;
      const { items } = await client.list(type, { namespace, labelSelector: OURS, signal });
      found.push(...items.map((object) => ({ resource: type, object })));
    }
  };
  await Promise.all(Array.from({ length: LISTS_AT_A_TIME }, work));
  return found;
}

interface Claim extends KubeObject {
  spec: { volumeName?: string; storageClassName?: string };
  status?: { phase?: string };
}

async function listClaims(client: KubeClient, namespace: string, signal: AbortSignal): Promise<ClaimView[]> {
  const { items } = await client.list<Claim>(wellKnown.persistentVolumeClaims, { namespace, signal });
  return items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    phase: status?.phase ?? 'Pending',
    volume: spec.volumeName,
    storageClass: spec.storageClassName,
  }));
}

export async function listPlaceholders(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const { items } = await client.list(wellKnown.pods, {
    namespace,
    labelSelector: label.placeholder,
    signal,
  });
  return items;
}
